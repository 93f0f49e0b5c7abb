"""Writes a safetensors file of a given size, BF16 with the statistics of weights, for measuring memory.

    python3 Reports/dtz/make_large.py OUT.safetensors [GIGABYTES]        (needs: pip install numpy)
"""

import json
import struct
import sys

import numpy

ROWS, COLUMNS = 8192, 4096
out, size = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 8.0
count = max(1, int(size * 1e9) // (ROWS * COLUMNS * 2))
weights = numpy.random.default_rng(1).standard_normal(ROWS * COLUMNS, dtype=numpy.float32) * 0.02
bits = (weights.view(numpy.uint32) >> 16).astype("<u2")
header = {
    f"model.layers.{i:03}.weight": {
        "dtype": "BF16", "shape": [ROWS, COLUMNS],
        "data_offsets": [i * bits.nbytes, (i + 1) * bits.nbytes]}
    for i in range(count)}
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(out, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for i in range(count):
        file.write(numpy.roll(bits, 1009 * i).tobytes())
