"""Time against the number of tokens and layers, in growth.json; plots of them, and of time against weights as
sizes.json has it, in growth.svg.

    python3 Reports/performance/growth.py MODEL TEXT OUTPUT_FOLDER     (needs: pip install safetensors numpy)

MODEL is a Hugging Face folder in F16, TEXT a file. Fewer layers are the model's first ones. Needs the release build, and
OUTPUT_FOLDER/sizes.json, which sizes.py writes.
"""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
from safetensors.numpy import load_file, save_file

model, text, out = sys.argv[1:4]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
detent = os.path.join(root, ".build/release/detent")
work = os.path.join(out, "work")


def measured(*arguments):
    """Seconds, and seconds of CPU, of one run of detent."""
    start = time.perf_counter()
    process = subprocess.Popen([detent, *map(str, arguments), "--quiet"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"detent {' '.join(map(str, arguments))} failed")
    return {"seconds": round(time.perf_counter() - start, 3), "cpu": round(usage.ru_utime + usage.ru_stime, 3)}


def truncated(count):
    """The model's first layers."""
    folder = os.path.join(work, f"layers-{count}")
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.gguf"))
    tensors = load_file(os.path.join(model, "model.safetensors"))
    kept = {name: values for name, values in tensors.items()
            if ".layers." not in name or int(name.split(".layers.")[1].split(".")[0]) < count}
    save_file(kept, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json")) as file:
        configuration = json.load(file)
    configuration["num_hidden_layers"] = count
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(configuration, file)
    return folder


def evaluated(folder, windows):
    return measured("evalppl", folder, "--text", text, "--chunks", windows)


def quantized(folder, windows):
    return measured("quantize", folder, os.path.join(work, "out.gguf"), "--method", "gptq", "--type", "q4_0",
                    "--calibration", text, "--nsamples", windows, "--random-windows", 0)


def straight(points):
    """The least squares line through the points, and the largest distance from it as a part of the last value."""
    x, y = (np.array(values, float) for values in zip(*points))
    slope, start = np.polyfit(x, y, 1)
    return float(slope), float(start), float(np.max(np.abs(y - slope * x - start)) / y.max())


def plot(series, place):
    """One plot: CPU seconds against what grows, the points and the line through them."""
    left, top, width, height = 60 + place % 2 * 400, 40 + place // 2 * 300, 300, 200
    points = [(point["x"], point["cpu"]) for point in series["points"]]
    end, most = max(x for x, _ in points), max(y for _, y in points)
    slope, start, _ = straight(points)
    parts = []

    def at(x, y):
        return left + width * x / end, top + height * (1 - y / most)

    def label(x, y, words, anchor="middle"):
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>')

    parts.append(f'<path d="M{left},{top}V{top + height}H{left + width}" class="axis"/>')
    (x1, y1), (x2, y2) = at(0, max(start, 0)), at(end, slope * end + start)
    parts.append(f'<path d="M{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}" class="line"/>')
    for x, y in points:
        parts.append('<circle cx="%.1f" cy="%.1f" r="4"/>' % at(x, y))
        label(at(x, 0)[0], top + height + 16, f"{x:g}")
    label(left - 6, top + 4, f"{most:.3g} s", "end")
    label(left - 6, top + height, "0", "end")
    label(left + width / 2, top + height + 34, series["axis"])
    label(left + width / 2, top - 12, series["title"])
    return "\n".join(parts)


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
with open(os.path.join(model, "config.json")) as file:
    whole = json.load(file)["num_hidden_layers"]
folders = {count: truncated(count) for count in (whole // 4, whole // 2, 3 * whole // 4, whole)}
growth = []


def add(title, axis, sizes, run):
    growth.append({"title": title, "axis": axis, "points": [{"x": size, **run(size)} for size in sizes]})
    growth[-1]["largest distance from a line"] = round(straight([(p["x"], p["cpu"]) for p in growth[-1]["points"]])[2], 4)
    print(json.dumps(growth[-1]), flush=True)


add("evalppl against the text", "windows of 512 tokens", (8, 16, 32, 64), lambda n: evaluated(model, n))
add("evalppl against layers, 24 windows", "layers", folders, lambda n: evaluated(folders[n], 24))
add("quantize --method gptq against the text", "windows of 512 tokens", (8, 16, 32, 64),
    lambda n: quantized(folders[whole // 4], n))
add("quantize --method gptq against layers, 16 windows", "layers", folders, lambda n: quantized(folders[n], 16))

with open(os.path.join(out, "growth.json"), "w") as file:
    json.dump({"unit": "seconds of CPU", "series": growth}, file, indent=1)
    file.write("\n")
with open(os.path.join(out, "sizes.json")) as file:
    models = json.load(file)["models"]
for job in ("quantize --type q8_0", "quantize --type q4_0"):
    growth.append({"title": job, "axis": "billions of weights", "points": [
        {"x": round(model["weights"] / 1e9, 2), "cpu": run["processorSeconds"]} for model in models for run in model["jobs"][job]]})
plots = "\n".join(plot(series, place) for place, series in enumerate(growth))
with open(os.path.join(out, "growth.svg"), "w") as file:
    file.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {300 * ((len(growth) + 1) // 2) + 20}">\n<style>'
        "svg{background:#fff}text{font:12px sans-serif;fill:#333}.axis{fill:none;stroke:#888}"
        ".line{stroke:#8ab}circle{fill:#246}</style>\n" + plots + "\n</svg>\n")
shutil.rmtree(work)
