"""Prints the weight digest of a Llama in BF16, as Formats/Recipes/SPECIFICATION.md defines it.

    python weight_digest.py model.safetensors config.json

Needs numpy only. Matrices of queries and keys are put in the order of GGUF's rows first.
"""

import hashlib
import json
import struct
import sys

import numpy

raw = open(sys.argv[1], "rb").read()
config = json.load(open(sys.argv[2]))
(length,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8 : 8 + length])
modules = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
heads = {
    "attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"],
}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    _, _, layer, module = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{modules[module]}.weight"


lines = {}
for name, entry in header.items():
    if name == "__metadata__" or len(entry["shape"]) != 2:
        continue
    start, end = entry["data_offsets"]
    bits = numpy.frombuffer(raw[8 + length + start : 8 + length + end], dtype="<u2")
    weights = (bits.astype("<u4") << 16).view("<f4").reshape(entry["shape"])
    weights = numpy.where(abs(weights) < 2.0**-14, numpy.float32(0), weights)
    name = gguf_name(name)
    count = heads.get(name.split(".")[-2])
    if count:
        # Rotary pairs: halves apart in Hugging Face, neighbours in GGUF.
        rows, columns = weights.shape
        weights = (
            weights.reshape(count, 2, rows // count // 2, columns).swapaxes(1, 2)
            .reshape(rows, columns)
        )
    step = -(-weights.shape[0] // 16)
    lines[name.encode()] = hashlib.sha256(weights[::step].tobytes()).hexdigest()
text = b"".join(digest.encode() + b"  " + name + b"\n" for name, digest in sorted(lines.items()))
print(hashlib.sha256(text).hexdigest())
