"""ZipNN's size and speed on a file, best of some runs, for the side-by-side figures of this report.

    python3 Reports/dtz/zipnn_speed.py FILE bfloat16|float16|float32 [THREADS]     (needs: pip install zipnn)
"""

import sys
import time

import zipnn

path, dtype = sys.argv[1], sys.argv[2]
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
data = open(path, "rb").read()
codec = zipnn.ZipNN(bytearray_dtype=dtype, input_format="byte", threads=threads)
compressing, decompressing = [], []
for _ in range(7):
    copy = bytearray(data)  # `compress` uses its input as scratch.
    start = time.perf_counter()
    packed = codec.compress(copy)
    middle = time.perf_counter()
    unpacked = codec.decompress(packed)
    decompressing.append(time.perf_counter() - middle)
    compressing.append(middle - start)
assert bytes(unpacked) == data
size = len(data) / 1e9
print(f"zipnn {threads} threads: {len(packed)} of {len(data)} bytes, {len(packed) / len(data):.4f}; "
      f"compresses {size / min(compressing):.2f} GB/s, decompresses {size / min(decompressing):.2f} GB/s")
