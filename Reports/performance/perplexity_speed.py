"""Times `evalppl` against llama-perplexity: same file, same text, windows of 512, two threads, whole processes.

    python3 Reports/performance/perplexity_speed.py LLAMA_PERPLEXITY TEXT OUT.json FILE.gguf...

The sides take turns: evalppl in f32, evalppl with --precision bf16, llama-perplexity. Seconds are from the start of a
process to its end, the best of ROUNDS (3 unless it says otherwise), of WINDOWS (32) windows; beside them each side's
perplexity, which shows that all did the same work. DETENT names another evalppl than the release build's.
"""

import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EVALPPL = os.environ.get("DETENT", f"{ROOT}/.build/release/evalppl")
WINDOWS = int(os.environ.get("WINDOWS", 32))
ROUNDS = int(os.environ.get("ROUNDS", 3))


def run(arguments, pattern):
    """Seconds of wall time and of processor time, and the perplexity that was printed."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    found = re.search(pattern, done.stdout + done.stderr)
    return {"seconds": round(seconds, 3), "processorSeconds": round(used, 2), "perplexity": float(found.group(1))}


def main(llama, text, out, *files):
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    result = {"machine": machine, "windows": WINDOWS, "files": {}}
    for path in files:
        ours = [EVALPPL, path, "--text", text, "--chunks", str(WINDOWS), "--threads", "2", "--json", "-", "--quiet"]
        theirs = [llama, "-m", path, "-f", text, "-c", "512", "--chunks", str(WINDOWS), "-t", "2"]
        sides = {
            "f32": lambda: run(ours, r'"perplexity": ([0-9.]+)'),
            "bf16": lambda: run(ours + ["--precision", "bf16"], r'"perplexity": ([0-9.]+)'),
            "llama-perplexity": lambda: run(theirs, r"PPL = ([0-9.]+)"),
        }
        samples = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                samples[name].append(side())
        result["files"][os.path.basename(path)] = samples
        best = {name: min(sample["seconds"] for sample in some) for name, some in samples.items()}
        for name, seconds in best.items():
            print(f"{os.path.basename(path):20} {name:18} {seconds:7.2f} s {512 * WINDOWS / seconds:8.0f} tokens/s"
                  f"  {best['llama-perplexity'] / seconds:5.2f}  perplexity {samples[name][0]['perplexity']}")
    with open(out, "w") as file:
        json.dump(result, file, indent=1)


main(*sys.argv[1:])
