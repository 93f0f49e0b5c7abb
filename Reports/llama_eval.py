#!/usr/bin/env python3
"""llama.cpp's perplexity and KL divergence of a GGUF, computed from llama.cpp's own logits.

    llama_eval.py MODEL.gguf --text FILE [--ctx 512] [--chunks 48] [--reference REF.gguf] [--save-ref DIR_OR_FILE] [--no-bos] [--json OUT]

As llama-perplexity does it: the text is tokenized once by llama.cpp, cut into windows of --ctx without overlap; in each window positions
ctx/2 ... ctx-2 predict the next token (255 per 512). With add_bos the first token of each window is replaced by BOS.
--reference takes a GGUF (its log-probabilities are computed once and cached beside it, *.ref-KEY.npy, 16 bits each, error < 2e-4) .
--save-ref X stores this run's own log-probabilities at X so that a later --reference X works without the GGUF.
"""
import argparse, ctypes, hashlib, json, math, os, sys, time
import numpy as np
import llama_cpp as L


@L.llama_log_callback
def quiet(level, text, _):
    if level == 4: sys.stderr.buffer.write(text)


class Model:
    def __init__(self, path, ctx, threads):
        L.llama_log_set(quiet, None)
        L.llama_backend_init()
        mp = L.llama_model_default_params(); mp.n_gpu_layers = 0
        self.model = L.llama_model_load_from_file(path.encode(), mp)
        if not self.model: sys.exit(f'llama.cpp cannot load {path}')
        self.vocab = L.llama_model_get_vocab(self.model)
        self.n_vocab = L.llama_vocab_n_tokens(self.vocab)
        cp = L.llama_context_default_params()
        cp.n_ctx = cp.n_batch = cp.n_ubatch = ctx
        cp.n_threads = cp.n_threads_batch = threads
        self.ctx_size = ctx
        self.ctx = L.llama_init_from_model(self.model, cp)
        if not self.ctx: sys.exit(f'llama.cpp cannot make a context for {path}')
        self.batch = L.llama_batch_init(ctx, 0, 1)

    def tokenize(self, text, add_special=True):
        raw = text.encode()
        n = -L.llama_tokenize(self.vocab, raw, len(raw), None, 0, add_special, False)
        ids = (L.llama_token * max(n, 1))()
        got = L.llama_tokenize(self.vocab, raw, len(raw), ids, n, add_special, False)
        assert got == n, (got, n)
        return list(ids[:n])

    @property
    def add_bos(self): return bool(L.llama_vocab_get_add_bos(self.vocab))

    def logits(self, ids, first):
        """f32 logits of positions first ... len-2, one row each."""
        n, b = len(ids), self.batch
        b.n_tokens = n
        for i, t in enumerate(ids):
            b.token[i] = t; b.pos[i] = i; b.n_seq_id[i] = 1; b.seq_id[i][0] = 0; b.logits[i] = first <= i < n - 1
        L.llama_memory_clear(L.llama_get_memory(self.ctx), True)
        if L.llama_decode(self.ctx, b): sys.exit('llama_decode failed')
        rows = n - 1 - first
        return np.ctypeslib.as_array(L.llama_get_logits(self.ctx), shape=(rows, self.n_vocab))

    def close(self):
        L.llama_batch_free(self.batch); L.llama_free(self.ctx); L.llama_model_free(self.model)


def log_softmax(z):
    m = z.max(axis=1, keepdims=True)
    x = z - m
    return x - np.log(np.exp(x).sum(axis=1, dtype=np.float64)).astype(np.float32)[:, None]


SPAN = 32.0  # nats below the row's largest; what lies lower has p < 1e-14 and is clamped


def windows(model, args):
    ids = model.tokenize(open(args.text, encoding='utf8', newline='').read(), add_special=not args.no_bos)
    count = len(ids) // args.ctx
    if args.chunks > 0: count = min(count, args.chunks)
    if not count: sys.exit(f'{len(ids)} tokens, {args.ctx} needed')
    for w in range(count):
        window = ids[w * args.ctx:(w + 1) * args.ctx]
        if model.add_bos and not args.no_bos: window[0] = L.llama_vocab_bos(model.vocab)
        yield window


def store_path(path, args):
    st = os.stat(path)
    key = hashlib.sha256(f'{st.st_size} {st.st_mtime_ns} {args.ctx} {args.chunks} {args.no_bos} '.encode() + open(args.text, 'rb').read()).hexdigest()[:12]
    return f'{path}.ref-{key}.npy'


def build_reference(path, args, out):
    t = time.time()
    model = Model(path, args.ctx, args.threads)
    ws = list(windows(model, args)); rows = args.ctx - 1 - args.ctx // 2
    tmp = f'{out}.{os.getpid()}.part.npy'
    codes = np.lib.format.open_memmap(tmp, 'w+', np.uint16, (len(ws) * rows, model.n_vocab))
    tops = np.empty(len(ws) * rows, np.float32)
    for w, ids in enumerate(ws):
        lp = log_softmax(model.logits(ids, args.ctx // 2))
        top = lp.max(axis=1); tops[w * rows:(w + 1) * rows] = top
        codes[w * rows:(w + 1) * rows] = np.rint(np.maximum(lp - top[:, None] + SPAN, 0) * (65535 / SPAN)).astype(np.uint16)
    codes.flush(); model.close()
    np.save(out + '.tops', tops)
    os.replace(tmp, out)
    print(f'reference {path}: {len(ws)} windows in {time.time() - t:.1f} s -> {out}', file=sys.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('model'); p.add_argument('--text', required=True); p.add_argument('--ctx', type=int, default=512)
    p.add_argument('--chunks', type=int, default=48); p.add_argument('--reference'); p.add_argument('--save-ref')
    p.add_argument('--no-bos', action='store_true'); p.add_argument('--threads', type=int, default=2); p.add_argument('--json')
    a = p.parse_args()
    start = time.time()
    codes = tops = None
    if a.reference:
        ref = a.reference if a.reference.endswith('.npy') else store_path(a.reference, a)
        if not os.path.exists(ref): build_reference(a.reference, a, ref)
        codes, tops = np.load(ref, mmap_mode='r'), np.load(ref + '.tops.npy')
    if a.save_ref:
        out = a.save_ref if a.save_ref.endswith('.npy') else a.save_ref + '.npy'
        build_reference(a.model, a, out)
    model = Model(a.model, a.ctx, a.threads)
    first = a.ctx // 2; rows = a.ctx - 1 - first
    nll, kl, tool, same = [], [], [], []
    if codes is not None: table = (np.arange(65536, dtype=np.float64) * (SPAN / 65535) - SPAN).astype(np.float32)
    for w, ids in enumerate(windows(model, a)):
        z = model.logits(ids, first)
        lp = log_softmax(z)
        nll.append(-lp[np.arange(rows), ids[first + 1:]].astype(np.float64))
        if codes is not None:
            block = codes[w * rows:(w + 1) * rows]
            if block.shape != lp.shape: sys.exit(f'reference has shape {codes.shape}, the model {lp.shape} per window')
            ref = table[block]; ref += tops[w * rows:(w + 1) * rows, None]
            d = ref - lp
            np.exp(ref, out=ref)
            kl.append(np.einsum('ij,ij->i', ref, d, dtype=np.float64))
            ref[ref <= np.float32(math.exp(-16))] = 0  # llama-perplexity leaves these terms out of its sum
            tool.append(np.einsum('ij,ij->i', ref, d, dtype=np.float64))
            same.append(block.argmax(axis=1) == z.argmax(axis=1))
    model.close()
    nll = np.concatenate(nll); ppl = math.exp(nll.mean())
    r = {'model': a.model, 'bytes': os.path.getsize(a.model), 'text': a.text, 'ctx': a.ctx, 'tokens_scored': int(nll.size),
         'perplexity': ppl, 'perplexity_stderr': ppl * nll.std(ddof=1) / math.sqrt(nll.size)}
    if kl:
        kl = np.concatenate(kl); same = np.concatenate(same)
        r |= {'kl_divergence': {'mean': kl.mean(), 'stderr': kl.std(ddof=1) / math.sqrt(kl.size), 'median': float(np.median(kl)), 'max': kl.max(),
                                'mean_as_llama_perplexity': np.concatenate(tool).mean()}, 'same_top1': same.mean()}
    r['seconds'] = round(time.time() - start, 1)
    print(json.dumps(r, indent=1, default=float))
    if a.json: json.dump(r, open(a.json, 'w'), indent=1, default=float)


if __name__ == '__main__':
    main()
