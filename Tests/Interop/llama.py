"""llama.cpp's own loader, tokenizer and logits, for comparison with ours."""

import math

import llama_cpp as api
import numpy as np

_messages = []


@api.llama_log_callback
def _keep(level, text, _):
    _messages.append(text.decode(errors="replace"))


def perplexity(logits, ids):
    """Of `ids` (sequences, tokens) by the logits (sequences, tokens, vocabulary) after each token."""
    scores = logits[:, :-1].astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=-1))
    losses -= np.take_along_axis(scores, ids[:, 1:, None], axis=-1)[..., 0]
    return math.exp(losses.mean())


class Llama:
    """A model as llama.cpp sees it. Use in a `with` statement."""

    def __init__(self, path, context=512, threads=2, exact_cache=False, vocabulary_only=False):
        """`exact_cache` keeps keys and values in F32 instead of F16; `vocabulary_only` loads no weights."""
        self.context_size, self.threads, self.path = context, threads, str(path)
        self.exact_cache, self.vocabulary_only = exact_cache, vocabulary_only

    def __enter__(self):
        _messages.clear()
        api.llama_log_set(_keep, None)
        api.llama_backend_init()
        parameters = api.llama_model_default_params()
        parameters.n_gpu_layers = 0
        parameters.vocab_only = self.vocabulary_only
        self.model = api.llama_model_load_from_file(self.path.encode(), parameters)
        assert self.model, f"llama.cpp cannot load {self.path}:\n{''.join(_messages[-8:])}"
        self.vocabulary = api.llama_model_get_vocab(self.model)
        if self.vocabulary_only:
            return self
        parameters = api.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = self.context_size
        parameters.n_threads = parameters.n_threads_batch = self.threads
        if self.exact_cache:
            parameters.type_k = parameters.type_v = api.GGML_TYPE_F32
            parameters.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = api.llama_init_from_model(self.model, parameters)
        assert self.context, "".join(_messages[-8:])
        self.batch = api.llama_batch_init(self.context_size, 0, 1)
        return self

    def __exit__(self, *_):
        if not self.vocabulary_only:
            api.llama_batch_free(self.batch)
            api.llama_free(self.context)
        api.llama_model_free(self.model)

    def tokenize(self, text, add_special=True, parse_special=False):
        raw = text.encode()
        room = len(raw) + 16
        ids = (api.llama_token * room)()
        count = api.llama_tokenize(
            self.vocabulary, raw, len(raw), ids, room, add_special, parse_special)
        assert count >= 0
        return list(ids[:count])

    def logits(self, ids, positions):
        """Logits (positions, vocabulary) after the tokens at `positions`."""
        batch = self.batch
        batch.n_tokens = len(ids)
        for index, token in enumerate(ids):
            batch.token[index], batch.pos[index] = token, index
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
            batch.logits[index] = index in positions
        api.llama_memory_clear(api.llama_get_memory(self.context), True)
        assert api.llama_decode(self.context, batch) == 0
        shape = (len(positions), api.llama_vocab_n_tokens(self.vocabulary))
        return np.ctypeslib.as_array(api.llama_get_logits(self.context), shape=shape).copy()

    def perplexity(self, text, windows):
        """As llama-perplexity: the second half of each window is scored, BOS replaces its start."""
        size = self.context_size
        ids, losses = self.tokenize(text), []
        for start in range(0, min(windows, len(ids) // size) * size, size):
            window = ids[start:start + size]
            if api.llama_vocab_get_add_bos(self.vocabulary):
                window[0] = api.llama_vocab_bos(self.vocabulary)
            positions = range(size // 2, size - 1)
            scores = self.logits(window, positions).astype(np.float64)
            scores -= scores.max(axis=1, keepdims=True)
            normalizer = np.log(np.exp(scores).sum(axis=1))
            wanted = np.array(window)[size // 2 + 1:]
            losses.append(normalizer - scores[np.arange(len(wanted)), wanted])
        losses = np.concatenate(losses)
        return math.exp(losses.mean()), losses.size
