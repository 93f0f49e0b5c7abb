"""Times `quantize --method rtn` against llama-quantize: same file, same importance matrix, two threads, whole processes.

    python3 Reports/performance/quantize_speed.py LLAMA_QUANTIZE MODEL.gguf IMATRIX.gguf FOLDER OUT.json [TYPE...]

Needs the release build. The sides take turns. Outputs go to FOLDER and are removed: on a memory disk that times work,
elsewhere detent's also waits for the disk (it syncs before it gives an output its name, llama-quantize does not). REPEATS
says how often, 5 unless it does; DETENT names another command. Before each run the inputs are read once, so that they are
in the system's memory for either side. Seconds of processor time are kept beside, for machines that
others work on, too.
"""

import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DETENT = os.environ.get("DETENT", f"{ROOT}/.build/release/detent")
TYPES = ["q8_0", "q4_0", "q4_k_m", "q6_k", "q2_k"]


def timed(command, inputs):
    for path in inputs:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def main(llama, model, imatrix, folder, out, *names):
    size = os.path.getsize(model)
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    result = {"machine": machine, "bytes": size, "threads": 2, "types": {}}
    for name in names or TYPES:
        sides = {
            "detent": lambda path: [DETENT, "quantize", model, path, "--type", name, "--method", "rtn",
                                    "--imatrix", imatrix, "--threads", "2", "--quiet"],
            "llama.cpp": lambda path: [llama, "--imatrix", imatrix, model, path, name.upper(), "2"],
        }
        samples = {side: [] for side in sides}
        processors = {side: [] for side in sides}
        sizes = {}
        for _ in range(int(os.environ.get("REPEATS", "5"))):
            for side, command in sides.items():
                path = f"{folder}/{side}.gguf"
                seconds, used = timed(command(path), [model, imatrix])
                samples[side].append(round(seconds, 4))
                processors[side].append(round(used, 3))
                sizes[side] = os.path.getsize(path)
                os.remove(path)
        best = {side: min(seconds) for side, seconds in samples.items()}
        ratio = best["llama.cpp"] / best["detent"]
        used = {side: min(seconds) for side, seconds in processors.items()}
        work = used["llama.cpp"] / used["detent"]
        speeds = {side: round(size / 1e9 / seconds, 3) for side, seconds in best.items()}
        result["types"][name] = {
            "seconds": samples, "processorSeconds": processors, "gigabytesPerSecond": speeds,
            "ratio": round(ratio, 3), "processorRatio": round(work, 3), "outputBytes": sizes}
        print(f"{name:8} GB/s detent {speeds['detent']:.3f}, llama.cpp {speeds['llama.cpp']:.3f}: "
              f"{ratio:.2f} times, best of {len(samples['detent'])}; processors {used['detent']:.2f} s, "
              f"{used['llama.cpp']:.2f} s: {work:.2f} times", flush=True)
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main(*sys.argv[1:])
