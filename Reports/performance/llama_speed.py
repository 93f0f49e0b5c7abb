#!/usr/bin/env python3
"""How fast llama.cpp evaluates a text and generates, as JSON: the peer of Detent's speed reports.

    llama_speed.py perplexity MODEL.gguf TEXT [--windows 32] [--threads 2]
    llama_speed.py generate MODEL.gguf [--tokens 128] [--threads 2]

`perplexity` does what llama-perplexity does with its defaults: windows of 512 tokens, four of them in one batch of
2048 that is decoded in pieces of 512, logits of each window's second half. `loadSeconds` and `decodeSeconds` are
llama.cpp's alone: tokenizing, Python and the softmax, which llama-perplexity has to do too, are charged to nobody,
which favours llama.cpp. The mean loss is given so that one can see that both did the same work.

`generate` decodes a prompt of one token and then the most likely token again and again; `decodeSeconds` is
llama.cpp's alone once more.
"""
import argparse, json, sys, time
import numpy as np
import llama_cpp as L

CONTEXT, BATCH, PIECE = 512, 2048, 512


@L.llama_log_callback
def only_errors(level, text, _):
    if level == 4: sys.stderr.buffer.write(text)


class Model:
    def __init__(self, path, threads, context, sequences):
        L.llama_log_set(only_errors, None)
        L.llama_backend_init()
        started = time.perf_counter()
        self.model = L.llama_model_load_from_file(path.encode(), L.llama_model_default_params())
        if not self.model: sys.exit(f'llama.cpp cannot load {path}')
        parameters = L.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = context, BATCH, PIECE
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = L.llama_init_from_model(self.model, parameters)
        if not self.context: sys.exit(f'llama.cpp cannot make a context for {path}')
        self.load_seconds, self.processor_seconds = time.perf_counter() - started, 0.0
        self.vocabulary = L.llama_model_get_vocab(self.model)
        self.vocabulary_size = L.llama_vocab_n_tokens(self.vocabulary)
        self.batch = L.llama_batch_init(BATCH, 0, 1)

    def tokenize(self, text):
        raw = text.encode()
        count = -L.llama_tokenize(self.vocabulary, raw, len(raw), None, 0, True, False)
        ids = (L.llama_token * count)()
        L.llama_tokenize(self.vocabulary, raw, len(raw), ids, count, True, False)
        return list(ids)

    def decode(self):
        """Runs `self.batch`; llama_synchronize waits for what a backend may have left for later."""
        started, processor = time.perf_counter(), time.process_time()
        if L.llama_decode(self.context, self.batch): sys.exit('llama_decode failed')
        L.llama_synchronize(self.context)
        self.processor_seconds += time.process_time() - processor
        return time.perf_counter() - started

    def logits(self, rows):
        return np.ctypeslib.as_array(L.llama_get_logits(self.context), shape=(rows, self.vocabulary_size))


def perplexity(arguments):
    sequences = BATCH // CONTEXT
    model = Model(arguments.model, arguments.threads, BATCH, sequences)
    ids = model.tokenize(open(arguments.text).read())
    count = min(arguments.windows, len(ids) // CONTEXT)
    begin = L.llama_vocab_bos(model.vocabulary) if L.llama_vocab_get_add_bos(model.vocabulary) else None
    seconds, losses, first = [], [], CONTEXT // 2
    for start in range(0, count, sequences):
        windows = [ids[w * CONTEXT:(w + 1) * CONTEXT] for w in range(start, min(count, start + sequences))]
        batch, n = model.batch, 0
        for sequence, window in enumerate(windows):
            for position, token in enumerate(window):
                batch.token[n] = begin if begin is not None and position == 0 else token
                batch.pos[n], batch.n_seq_id[n], batch.seq_id[n][0] = position, 1, sequence
                batch.logits[n] = position >= first
                n += 1
        batch.n_tokens = n
        L.llama_memory_clear(L.llama_get_memory(model.context), True)
        seconds.append(model.decode() / len(windows))
        rows = model.logits(len(windows) * (CONTEXT - first)).reshape(len(windows), CONTEXT - first, -1)
        for window, logits in zip(windows, rows):
            targets = window[first + 1:]
            scored = logits[:len(targets)].astype(np.float64)
            top = scored.max(1)
            total = top + np.log(np.exp(scored - top[:, None]).sum(1))
            losses.append((total - scored[np.arange(len(targets)), targets]).mean())
    return dict(windows=count, tokens=count * CONTEXT, loadSeconds=model.load_seconds, decodeSeconds=sum(seconds) * sequences,
                bestSecondsOfWindow=min(seconds),
                decodeProcessorSeconds=model.processor_seconds,
                meanNegativeLogLikelihood=float(np.mean(losses)))


def generate(arguments):
    model = Model(arguments.model, arguments.threads, arguments.tokens + 8, 1)
    token, seconds, ids = model.tokenize('Once')[0], [], []
    for position in range(arguments.tokens + 1):
        batch = model.batch
        batch.n_tokens, batch.token[0], batch.pos[0] = 1, token, position
        batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 0, 1
        seconds.append(model.decode())
        token = int(model.logits(1)[0].argmax())
        ids.append(token)
    # The first call also touches the weights' pages for the first time.
    seconds = sorted(seconds[1:])
    return dict(tokens=arguments.tokens, loadSeconds=model.load_seconds, decodeSeconds=sum(seconds),
                medianSeconds=seconds[len(seconds) // 2], bestSeconds=seconds[0], ids=ids)


parser = argparse.ArgumentParser()
parser.add_argument('what', choices=['perplexity', 'generate'])
parser.add_argument('model')
parser.add_argument('text', nargs='?')
parser.add_argument('--windows', type=int, default=32)
parser.add_argument('--tokens', type=int, default=128)
parser.add_argument('--threads', type=int, default=2)
arguments = parser.parse_args()
print(json.dumps(dict(perplexity=perplexity, generate=generate)[arguments.what](arguments)))
