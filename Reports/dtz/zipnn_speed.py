"""ZipNN's size and speed on a file, best of some runs, for the side-by-side figures of this report.

    python3 Reports/dtz/zipnn_speed.py FILE bfloat16|float16|float32 [THREADS [OUT]]     (needs: pip install zipnn)

With OUT, the file is also compressed into another: by this process, and by one that does nothing else, as a command would.
"""

import os
import subprocess
import sys
import time

import zipnn


def timed(work):
    """The result, seconds of wall time, seconds of CPU."""
    start, used = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - start, time.process_time() - used


path, dtype = sys.argv[1], sys.argv[2]
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
out = sys.argv[4] if len(sys.argv) > 4 else None
codec = zipnn.ZipNN(bytearray_dtype=dtype, input_format="byte", threads=threads)


def whole():
    """What it takes to make one file of another."""
    with open(path, "rb") as file:
        packed = codec.compress(bytearray(file.read()))
    with open(out, "wb") as file:
        file.write(packed)


if os.environ.get("ZIPNN_ONCE"):
    whole()
    sys.exit()

data = open(path, "rb").read()
compressing, decompressing = [], []
for _ in range(7):
    copy = bytearray(data)  # `compress` uses its input as scratch.
    packed, *seconds = timed(lambda: codec.compress(copy))
    compressing.append(seconds)
    unpacked, *seconds = timed(lambda: codec.decompress(packed))
    decompressing.append(seconds)
assert bytes(unpacked) == data

if out:
    once = os.environ | {"ZIPNN_ONCE": "1"}
    for name, work in {
        "file to file": whole,
        "file to file as a command": lambda: subprocess.run([sys.executable, *sys.argv], env=once, check=True),
    }.items():
        seconds = []
        for _ in range(5):
            if os.path.exists(out):
                os.unlink(out)
            seconds.append(timed(work)[1])
        os.unlink(out)
        print(f"zipnn {threads} threads, seconds: {name} {min(seconds):.3f}")
wall, cpu = map(min, zip(*compressing))
wall_back, cpu_back = map(min, zip(*decompressing))
print(f"zipnn {threads} threads, seconds: compress {wall:.3f}, CPU {cpu:.3f}; "
      f"decode {wall_back:.3f}, CPU {cpu_back:.3f}; {len(packed)} bytes, {len(packed) / len(data):.4f}")
