"""Times `quantize --method rtn` against llama.cpp's quantizer: same file, same importance matrix, two threads.

    python3 Reports/performance/quantize_speed.py MODEL.gguf IMATRIX.gguf FOLDER OUT.json [TYPE...]

Needs `pip install llama-cpp-python==0.3.36 gguf` and the release build. The sides take turns in one run. Of llama.cpp only
the call is timed, inside of a process that has loaded everything; of detent the whole process, from its start to its end.
Outputs go to FOLDER and are removed: on a memory disk that times work, elsewhere detent's also waits for the disk (it syncs
before it gives an output its name, llama.cpp does not). REPEATS says how often, 5 unless it does; DETENT names another
command. Seconds of processor time are kept beside, for machines that others work on, too.
"""

import ctypes
import json
import os
import subprocess
import sys
import time

import gguf
import llama_cpp

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DETENT = os.environ.get("DETENT", f"{ROOT}/.build/release/detent")
TYPES = {"q8_0": 7, "q4_0": 2, "q4_k_m": 15, "q6_k": 18, "q2_k": 10}  # enum llama_ftype


def importance(path):
    """llama.cpp's array of means of squares, ended by an entry without a name, and what keeps it alive."""
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    kept, entries = [], []
    for name in tensors:
        if not name.endswith(".in_sum2"):
            continue
        stem = name.removesuffix(".in_sum2")
        counts = tensors[stem + ".counts"].reshape(-1, 1)
        means = (tensors[name].reshape(len(counts), -1) / counts).astype("<f4").ravel()
        kept.append(means)
        data = means.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entries.append(llama_cpp.llama_model_imatrix_data(stem.encode(), data, means.size))
    entries.append(llama_cpp.llama_model_imatrix_data(None, None, 0))
    return (llama_cpp.llama_model_imatrix_data * len(entries))(*entries), kept


def llama(model, output, ftype, matrix):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype = 2, ftype
    parameters.imatrix = ctypes.cast(matrix, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    before, start = os.times(), time.perf_counter()
    status = llama_cpp.llama_model_quantize(model.encode(), output.encode(), ctypes.byref(parameters))
    seconds, after = time.perf_counter() - start, os.times()
    assert status == 0
    return seconds, after.user + after.system - before.user - before.system


def detent(model, output, name, imatrix):
    command = [DETENT, "quantize", model, output, "--type", name, "--method",
               "rtn", "--imatrix", imatrix, "--threads", "2", "--quiet"]
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def main(model, imatrix, folder, out, *names):
    @llama_cpp.llama_log_callback
    def silent(level, text, data):
        pass

    llama_cpp.llama_log_set(silent, None)
    matrix, kept = importance(imatrix)
    size = os.path.getsize(model)
    with open("/proc/cpuinfo") as file:
        machine = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    result = {"machine": machine, "bytes": size, "threads": 2, "types": {}}
    for name in names or TYPES:
        samples = {"detent": [], "llama.cpp": []}
        processors = {"detent": [], "llama.cpp": []}
        sizes = {}
        for _ in range(int(os.environ.get("REPEATS", "5"))):
            for side, run in (
                ("detent", lambda path: detent(model, path, name, imatrix)),
                ("llama.cpp", lambda path: llama(model, path, TYPES[name], matrix)),
            ):
                path = f"{folder}/{side}.gguf"
                seconds, used = run(path)
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
    del kept
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main(*sys.argv[1:])
