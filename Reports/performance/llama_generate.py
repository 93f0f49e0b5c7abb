"""How fast llama.cpp makes tokens one at a time, as JSON: the peer of `Benchmarks generate`.

    python3 Reports/performance/llama_generate.py MODEL.gguf [TOKENS [THREADS]]     (needs: pip install llama-cpp-python)

Decodes a prompt of one token and then the most likely token again and again. Seconds are those of `llama_decode` alone, the
best and the middle one; the ids show that it worked.
"""

import json
import sys
import time

import llama_cpp
import numpy as np


@llama_cpp.llama_log_callback
def only_errors(level, text, _):
    if level == 4:
        sys.stderr.buffer.write(text)


path = sys.argv[1]
tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 128
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
llama_cpp.llama_log_set(only_errors, None)
llama_cpp.llama_backend_init()
model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
parameters = llama_cpp.llama_context_default_params()
parameters.n_ctx, parameters.n_threads, parameters.n_threads_batch = tokens + 8, threads, threads
context = llama_cpp.llama_init_from_model(model, parameters)
vocabulary_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
batch = llama_cpp.llama_batch_init(1, 0, 1)
token, seconds, ids = 1, [], []
for position in range(tokens + 1):
    batch.n_tokens, batch.token[0], batch.pos[0] = 1, token, position
    batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 0, 1
    started = time.perf_counter()
    if llama_cpp.llama_decode(context, batch):
        sys.exit("llama_decode failed")
    llama_cpp.llama_synchronize(context)
    seconds.append(time.perf_counter() - started)
    logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), shape=(vocabulary_size,))
    token = int(logits.argmax())
    ids.append(token)
seconds = sorted(seconds[1:])  # The first call also touches the weights' pages for the first time.
print(json.dumps({"tokens": tokens, "best": seconds[0], "median": seconds[len(seconds) // 2], "ids": ids}))
