#!/usr/bin/env bash
# What importance and error feedback each contribute, on detent-tiny: prints a row for every type.
#
#   Reports/detent-tiny/ablation.sh CALIBRATION_TEXT EVALUATION_TEXT OUTPUT_FOLDER [TYPE...]
#
# Texts are files, or names of bundled corpora (general, general-held-out). Needs the release build.
set -euo pipefail
calibration=$1 evaluation=$2 out=$3
shift 3
if [ $# -eq 0 ]; then set -- q4_0 q4_k_s q3_k_s q2_k iq2_s; fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/.build/release model=$root/Calibration/detent-tiny
mkdir -p "$out"

# FILE TYPE [OPTION...]: quantizes, and prints the mean divergence from the model as it was.
divergence() {
    local file=$1 type=$2
    shift 2
    "$bin/quantize" "$model" "$file" --type "$type" --no-provenance --quiet "$@" > "$file.log"
    "$bin/evalppl" "$file" --reference "$model" --text "$evaluation" --chunks 96 --quiet \
        > "$file.txt"
    awk '/^KL divergence, mean/ { print $4 }' "$file.txt"
}

echo "| type | bytes | rtn | rtn + importance | gptq | gptq + importance | ratio of the last to rtn |"
echo "|---|--:|--:|--:|--:|--:|--:|"
text=(--calibration "$calibration" --nsamples 100)
for type in "$@"; do
    rtn=$(divergence "$out/$type-rtn.gguf" "$type" --method rtn)
    weighed=$(divergence "$out/$type-rtn-importance.gguf" "$type" --method rtn "${text[@]}")
    alone=$(divergence "$out/$type-gptq.gguf" "$type" --method gptq --no-importance "${text[@]}")
    both=$(divergence "$out/$type-gptq-importance.gguf" "$type" --method gptq "${text[@]}")
    bytes=$(wc -c < "$out/$type-gptq-importance.gguf")
    ratio=$(awk "BEGIN { printf \"%.2f\", $both / $rtn }")
    echo "| ${type^^} | $bytes | $rtn | $weighed | $alone | **$both** | $ratio |"
done
