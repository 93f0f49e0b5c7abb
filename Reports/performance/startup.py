"""Times what takes no work: `detent --help`, and `detent inspect` of a file.

    python3 Reports/performance/startup.py OUT.json FILE...

Seconds from the start of a process to its end, the best and the middle of RUNS (40 unless it says otherwise). DETENT names
the command if it is not the release build's.
"""

import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DETENT = os.environ.get("DETENT", f"{ROOT}/.build/release/detent")


def sample(arguments):
    start = time.perf_counter()
    subprocess.run([DETENT, *arguments], check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - start, 5)


def main(out, *files):
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    result = {"machine": machine, "commands": []}
    for arguments, size in [(["--help"], None)] + [(["inspect", name], os.path.getsize(name)) for name in files]:
        samples = [sample(arguments) for _ in range(int(os.environ.get("RUNS", "40")))]
        result["commands"].append({"command": arguments[0], "bytes": size, "seconds": samples})
        print(f"{arguments[0]:8} {size or '':>12} {1000 * min(samples):6.1f} ms, "
              f"middle {1000 * statistics.median(samples):.1f} ms")
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main(*sys.argv[1:])
