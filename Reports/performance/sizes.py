"""Measures time and memory of `convert` and `quantize --method rtn` over models of several sizes.

    python3 Reports/performance/sizes.py OUT.json FOLDER MODEL_FOLDER...

The models are what make_8b.py writes. For every model and job: seconds from the start of the process to its end, seconds of
its processor time, and the most memory that it ever had resident, mapped pages of files included, as the kernel counts it
(`ru_maxrss`, which is also what /usr/bin/time prints). Outputs go to FOLDER and are removed at once. DETENT names the command
if it is not the release build's; REPEATS says how often, 1 unless it does.
"""

import json
import os
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DETENT = os.environ.get("DETENT", f"{ROOT}/.build/release/detent")
JOBS = {"convert": ["convert"], "convert --type f16": ["convert", "--type", "f16"]} | {
    f"quantize --type {name}": ["quantize", "--method", "rtn", "--type", name]
    for name in ("q8_0", "q4_0", "q4_k_m")}


def run(arguments):
    start = time.perf_counter()
    child = os.posix_spawn(DETENT, [DETENT, *arguments], os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    assert status == 0, arguments
    return {
        "seconds": round(seconds, 3), "processorSeconds": round(usage.ru_utime + usage.ru_stime, 3),
        "residentBytes": usage.ru_maxrss * 1024}


def main(out, folder, *models):
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    result = {"machine": machine, "threads": 2, "models": []}
    for model in models:
        size = sum(os.path.getsize(f"{model}/{name}") for name in os.listdir(model)
                   if name.endswith(".safetensors"))
        entry = {"name": os.path.basename(os.path.normpath(model)), "bytes": size, "weights": size // 2, "jobs": {}}
        result["models"].append(entry)
        for name, arguments in JOBS.items():
            samples = entry["jobs"][name] = []
            for _ in range(int(os.environ.get("REPEATS", "1"))):
                output = f"{folder}/sizes.gguf"
                samples.append(run([arguments[0], model, output, *arguments[1:], "--threads", "2", "--quiet"]))
                os.remove(output)
            best = min(samples, key=lambda sample: sample["seconds"])
            print(f"{entry['name']:8} {name:22} {best['seconds']:8.1f} s {best['processorSeconds']:8.1f} s of processors"
                  f" {max(sample['residentBytes'] for sample in samples) / 1e6:6.0f} MB", flush=True)
        with open(out, "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


main(*sys.argv[1:])
