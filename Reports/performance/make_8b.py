"""Writes a synthetic Llama checkpoint in BF16 with shards, for measuring memory and growth.

    python3 Reports/performance/make_8b.py FOLDER TOKENIZER_FOLDER [0.5b|2b|8b] [bf16|f16]     (needs: pip install numpy)

8b has the shapes of Llama 3 8B, 16 GB. The weights have a normal distribution, the same run of numbers over and over, each
tensor from another place on: generated at the speed of the disk, and never more of them in memory than one run. The tokenizer
is copied from TOKENIZER_FOLDER; it may have fewer tokens than the model.
"""

import json
import os
import shutil
import struct
import sys

import numpy

# hidden, intermediate, layers, heads, key and value heads, vocabulary
SIZES = {
    "0.5b": (1024, 4096, 24, 16, 8, 49152),
    "2b": (2048, 8192, 28, 32, 8, 49152),
    "8b": (4096, 14336, 32, 32, 8, 128256),
}
SHARD = 5_000_000_000
RUN = 1 << 24


def tensors(hidden, intermediate, layers, heads, pairs, vocabulary):
    """Names and shapes in the order of the file; a vector is a norm's."""
    head = hidden // heads
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(layers):
        for name, shape in {
            "input_layernorm": [hidden],
            "self_attn.q_proj": [hidden, hidden],
            "self_attn.k_proj": [pairs * head, hidden],
            "self_attn.v_proj": [pairs * head, hidden],
            "self_attn.o_proj": [hidden, hidden],
            "post_attention_layernorm": [hidden],
            "mlp.gate_proj": [intermediate, hidden],
            "mlp.up_proj": [intermediate, hidden],
            "mlp.down_proj": [hidden, intermediate],
        }.items():
            yield f"model.layers.{layer}.{name}.weight", shape
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


def shards(listed):
    shard, size = [], 0
    for name, shape in listed:
        count = 2 * int(numpy.prod(shape))
        if shard and size + count > SHARD:
            yield shard
            shard, size = [], 0
        shard.append((name, shape, count))
        size += count
    yield shard


def bits(values, kind):
    if kind == "f16":
        return values.astype("<f2").view("<u2")
    return (values.view(numpy.uint32) >> 16).astype("<u2")


def write(path, shard, kind, run, number):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, count in shard:
        header[name] = {"dtype": kind.upper(), "shape": shape, "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for place, (name, shape, count) in enumerate(shard):
            if len(shape) == 1:
                file.write(bits(numpy.ones(shape, numpy.float32), kind).tobytes())
                continue
            # Each tensor begins elsewhere in the run; blocks of different tensors are not alike.
            start, rest = 1009 * (number * 1000 + place) % RUN, count // 2
            while rest:
                part = run[start : start + rest]
                file.write(memoryview(part))
                start, rest = 0, rest - len(part)


def main(folder, tokenizer, size="8b", kind="bf16"):
    hidden, intermediate, layers, heads, pairs, vocabulary = SIZES[size]
    os.makedirs(folder, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if os.path.exists(f"{tokenizer}/{name}"):
            shutil.copyfile(f"{tokenizer}/{name}", f"{folder}/{name}")
    with open(f"{folder}/config.json", "w") as file:
        json.dump(
            {
                "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
                "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
                "num_attention_heads": heads, "num_key_value_heads": pairs, "vocab_size": vocabulary,
                "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
                "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False,
                "torch_dtype": {"bf16": "bfloat16", "f16": "float16"}[kind],
            }, file, indent=1)
    values = numpy.random.default_rng(1).standard_normal(RUN, dtype=numpy.float32) * numpy.float32(0.02)
    run, parts = bits(values, kind), list(shards(tensors(*SIZES[size])))
    del values
    places, total = {}, 0
    for number, shard in enumerate(parts, 1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        write(f"{folder}/{name}", shard, kind, run, number)
        places |= {tensor: name for tensor, _, _ in shard}
        total += sum(count for _, _, count in shard)
    with open(f"{folder}/model.safetensors.index.json", "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": places}, file, indent=1)
    print(f"{folder}: {total / 2 / 1e9:.2f} billion weights, {total / 1e9:.2f} GB")


main(*sys.argv[1:])
