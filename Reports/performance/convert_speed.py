"""Times `convert` from safetensors to a GGUF file in F16 against `cp` of as many bytes and llama.cpp's script.

    python3 Reports/performance/convert_speed.py MODEL_FOLDER FOLDER OUT.json [LLAMA_CPP_FOLDER]

Seconds of whole processes, in turns, with the files that they read in the system's memory, seconds of their processor time, and the best of them. `detent` waits for the disk
before it gives the output its name; `cp` does not, `cp, sync` does. LLAMA_CPP_FOLDER holds convert_hf_to_gguf.py, whose
packages PYTHON must have (`pip install torch transformers sentencepiece`); it runs once for every third turn of the others,
of which there are REPEATS, 6 unless that says otherwise. On a memory disk (FOLDER) all of them are timed without a disk.
"""

import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DETENT = os.environ.get("DETENT", f"{ROOT}/.build/release/detent")


def run(*commands, inputs, environment=None):
    for path in inputs:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    before, start = os.times(), time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=os.environ | (environment or {}))
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": round(seconds, 4), "processorSeconds": round(used, 3)}


def main(model, folder, out, llama=None):
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    output, copy = f"{folder}/convert.gguf", f"{folder}/copy.gguf"
    weights = [entry.path for entry in os.scandir(model) if entry.name.endswith((".safetensors", ".json"))]
    samples = {"detent": [], "cp": [], "cp, sync": [], "convert_hf_to_gguf.py": []}
    for turn in range(int(os.environ.get("REPEATS", "6"))):
        samples["detent"].append(run([DETENT, "convert", model, output, "--type", "f16", "--quiet"], inputs=weights))
        size = os.path.getsize(output)
        samples["cp"].append(run(["cp", output, copy], inputs=[output]))
        os.remove(copy)
        samples["cp, sync"].append(run(["cp", output, copy], ["sync", copy], inputs=[output]))
        os.remove(copy)
        os.remove(output)
        if llama and turn % 3 == 0:
            samples["convert_hf_to_gguf.py"].append(run(
                [os.environ.get("PYTHON", sys.executable), f"{llama}/convert_hf_to_gguf.py", model, "--outtype",
                 "f16", "--outfile", output], inputs=weights, environment={"PYTHONPATH": f"{llama}/gguf-py"}))
            os.remove(output)
    best = {side: min(sample["seconds"] for sample in taken) for side, taken in samples.items() if taken}
    ratios = {side: round(seconds / best["detent"], 3) for side, seconds in best.items()}
    for side in best:
        print(f"{side:24} {best[side]:8.3f} s, {ratios[side]:.2f} of detent's; processors "
              f"{min(sample['processorSeconds'] for sample in samples[side]):.3f} s")
    with open(out, "w") as file:
        json.dump({"machine": machine, "bytes": size, "samples": samples, "ratios": ratios}, file, indent=1)
        file.write("\n")


main(*sys.argv[1:])
