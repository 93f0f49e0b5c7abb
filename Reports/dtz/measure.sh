#!/usr/bin/env bash
# Repeats the figures of this report, into a folder of its own.
#
#   Reports/dtz/measure.sh OUTPUT_FOLDER FILE...
#
# FILE: safetensors or GGUF files. Needs the release build, zstd, and for ZipNN a Python with `pip install zipnn`
# (PYTHON names it). `zstd -19` takes minutes for each hundred megabytes; LEVELS= leaves that out, LARGE=1 adds the
# file of 8 GB, which needs 22 GB of disk. Put OUTPUT_FOLDER on a memory disk to time work and not the disk.
set -euo pipefail
out=$1
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/.build/release python=${PYTHON:-python3} levels=${LEVELS-1 19}
mkdir -p "$out"
size() { stat -L -c %s "$1"; }
ratio() {
    awk -v name="$1" -v size="$2" -v of="$3" \
        'BEGIN { printf "%-24s %11d bytes  %.4f\n", name, size, size / of }'
}

for file in "$@"; do
    echo "== $file: $(size "$file") bytes"
    alone=$out/alone${file##*/}
    cp "$file" "$alone"    # without the documents beside it, which would be compressed too
    for level in ${levels:-1}; do
        "$bin/convert" "$alone" "$out/m.dtz" --level "$level" --quiet > "$out/log"
        zstd -t -q "$out/m.dtz"
        ratio "dtz --level $level" "$(size "$out/m.dtz")" "$(size "$file")"
        "$bin/convert" "$out/m.dtz" "$out/back.${file##*.}" --quiet > "$out/log"
        cmp "$file" "$out/back.${file##*.}" && echo "the same bytes come back"
        rm "$out/back.${file##*.}"
    done
    [[ " $levels " != *" 19 "* ]] ||
        ratio "zstd -19 --long" "$(zstd -19 --long -q -c "$file" | wc -c)" "$(size "$file")"
    rm "$alone"
done

# Speed, side by side: the best of seven, on one thread and on two.
first=$1
case $first in *bf16*) type=bfloat16 ;; *f32*) type=float32 ;; *) type=float16 ;; esac
cp "$first" "$out/s.safetensors"
zstd -q -f -3 "$first" -o "$out/plain.zst"
best() { sort -g | head -n 1; }
for threads in 1 2; do
    for _ in 1 2 3 4 5 6 7; do
        rm -f "$out/m.dtz"
        { /usr/bin/env time -f '%e %U %S' "$bin/convert" "$out/s.safetensors" "$out/m.dtz" \
            --threads $threads --quiet > "$out/log"; } 2>> "$out/compress-$threads"
        "$bin/detent" verify "$out/m.dtz" --quick --threads $threads --json --quiet |
            sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p' >> "$out/decode-$threads"
        { /usr/bin/env time -f '%e %U %S' "$bin/detent" verify "$out/m.dtz" --quick \
            --threads $threads --quiet > "$out/log"; } 2>> "$out/decode-cpu-$threads"
    done
    echo "detent, $threads threads, seconds: compress $(awk '{print $1}' "$out/compress-$threads" | best)," \
        "CPU $(awk '{print $2 + $3}' "$out/compress-$threads" | best);" \
        "decode $(best < "$out/decode-$threads"), CPU $(awk '{print $2 + $3}' "$out/decode-cpu-$threads" | best)"
    "$python" -W ignore "$root/Reports/dtz/zipnn_speed.py" "$first" "$type" $threads "$out/z.znn"
done
for _ in 1 2 3; do
    { /usr/bin/env time -f '%e' zstd -d -q -c "$out/plain.zst" > /dev/null; } 2>> "$out/zstd-d"
done
echo "zstd -d of the plain file, seconds: $(best < "$out/zstd-d")"

if [[ -n ${LARGE-} ]]; then
    "$python" "$root/Reports/dtz/make_large.py" "$out/large.safetensors" 8
    /usr/bin/env time -f "%e s, %M KiB" "$bin/convert" "$out/large.safetensors" "$out/large.dtz" --quiet
    /usr/bin/env time -f "%e s, %M KiB" "$bin/convert" "$out/large.dtz" "$out/back.safetensors" --quiet
    cmp "$out/large.safetensors" "$out/back.safetensors" && echo "8 GB: the same bytes come back"
    rm "$out/large.safetensors" "$out/back.safetensors" "$out/large.dtz"
fi
rm -f "$out"/{s.safetensors,m.dtz,plain.zst,log,compress-*,decode-*,zstd-d}
