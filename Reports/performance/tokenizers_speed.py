"""Tokenizing a file: `detent tokenize` beside the `tokenizers` library, best of five, taking turns.

    python3 Reports/performance/tokenizers_speed.py DETENT MODEL FILE     (needs: pip install tokenizers)

Detent is timed as a command, from its start to the last id that it prints; the library without its start, once with the
text in one piece and once line by line over both processors, without the time to make its results Python's.
"""

import json
import os
import subprocess
import sys
import time

os.environ.setdefault("RAYON_NUM_THREADS", "2")

from tokenizers import Tokenizer

detent, model, path = sys.argv[1:4]
tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
text = open(path, encoding="utf-8", newline="").read()
lines = text.splitlines(keepends=True)


def command():
    out = subprocess.run([detent, "tokenize", model, "--file", path, "--json"], capture_output=True, check=True)
    return len(json.loads(out.stdout)["ids"])


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


samples = {"detent": [], "whole": [], "lines": []}
for _ in range(5):
    samples["detent"].append(seconds(
        lambda: subprocess.run([detent, "tokenize", model, "--file", path, "--json"], stdout=subprocess.DEVNULL)))
    samples["whole"].append(seconds(lambda: tokenizer.encode(text, add_special_tokens=False)))
    samples["lines"].append(seconds(lambda: tokenizer.encode_batch_fast(lines, add_special_tokens=False)))
best = {name: min(times) for name, times in samples.items()}
print(json.dumps({
    "bytes": len(text.encode()), "tokens": command(), "seconds": samples,
    "whole / detent": best["whole"] / best["detent"], "lines / detent": best["lines"] / best["detent"]}))
