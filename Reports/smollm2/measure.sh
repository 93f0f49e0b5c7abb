#!/usr/bin/env bash
# Repeats every figure of this report, into a folder of its own.
#
#   Reports/smollm2/measure.sh MODEL_FOLDER EVALUATION_TEXT CALIBRATION_TEXT OUTPUT_FOLDER
#
# MODEL_FOLDER is SmolLM2-135M-Instruct in F16. Needs the release build, and for the judge a Python with
# `pip install -r Tests/Interop/requirements.txt` (PYTHON names it).
set -euo pipefail
model=$1/model.safetensors evaluation=$2 calibration=$3 out=$4
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/.build/release python=${PYTHON:-python3}
mkdir -p "$out"

"$bin/convert" "$model" "$out/f16.gguf" --quiet
"$bin/convert" "$model" "$out/q8_0.gguf" --type q8_0 --quiet
"$bin/convert" "$model" "$out/q4_0.gguf" --type q4_0 --quiet
for type in q4_0 iq4_nl; do
    "$bin/quantize" "$model" "$out/rtn-$type.gguf" --method rtn --type $type \
        --calibration "$calibration" --nsamples 100 --quiet
done
for type in q4_0 iq4_nl q5_0 q2_k; do
    /usr/bin/env time -f "%e s, %U s of CPU, %M KiB" "$bin/quantize" "$model" \
        "$out/gptq-$type.gguf" --method gptq --type $type \
        --calibration "$calibration" --nsamples 100 --quiet
done
# One thread must give the bytes that all threads gave.
"$bin/quantize" "$model" "$out/one-thread.gguf" --method gptq --type q4_0 \
    --calibration "$calibration" --nsamples 100 --threads 1 --quiet
cmp "$out/gptq-q4_0.gguf" "$out/one-thread.gguf" && echo "one thread: the same bytes"

for name in f16 q8_0 q4_0 rtn-q4_0 rtn-iq4_nl gptq-q4_0 gptq-iq4_nl gptq-q5_0 gptq-q2_k; do
    "$bin/evalppl" "$out/$name.gguf" --text "$evaluation" --chunks 48 \
        --reference "$out/f16.gguf" --json "$out/$name.json" --quiet
    "$python" "$root/Reports/llama_eval.py" "$out/$name.gguf" --text "$evaluation" --chunks 48 \
        --reference "$out/f16.gguf" --json "$out/$name.llama.json"
done
