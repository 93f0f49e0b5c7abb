"""A seeded Llama of one layer, in both dialects, made without any code of ours."""

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

# Hugging Face name within a layer, GGUF name within a block, (rows, columns) by dimension.
HIDDEN, HEADS, KEY_VALUE_HEADS, HEAD_SIZE, FEED_FORWARD, LAYERS = 256, 4, 2, 64, 512, 1
MATRICES = {
    "self_attn.q_proj": ("attn_q", (HEADS * HEAD_SIZE, HIDDEN)),
    "self_attn.k_proj": ("attn_k", (KEY_VALUE_HEADS * HEAD_SIZE, HIDDEN)),
    "self_attn.v_proj": ("attn_v", (KEY_VALUE_HEADS * HEAD_SIZE, HIDDEN)),
    "self_attn.o_proj": ("attn_output", (HIDDEN, HEADS * HEAD_SIZE)),
    "mlp.gate_proj": ("ffn_gate", (FEED_FORWARD, HIDDEN)),
    "mlp.up_proj": ("ffn_up", (FEED_FORWARD, HIDDEN)),
    "mlp.down_proj": ("ffn_down", (HIDDEN, FEED_FORWARD)),
}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def byte_characters():
    """The printable stand-ins of the 256 bytes in a byte-level vocabulary (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    table = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [table[b] for b in range(256)]


SPACE = byte_characters()[32]
MERGES = [(SPACE, "t"), ("h", "e"), (f"{SPACE}t", "he"), ("i", "n"), ("r", "e"), ("n", "d"), (SPACE, "a")]
TOKENS = ["<|endoftext|>", *byte_characters(), *("".join(pair) for pair in MERGES)]


def permuted(weights, heads):
    """Hugging Face's rotary row order (two halves) to GGUF's (interleaved pairs)."""
    half = weights.shape[0] // heads // 2
    return weights.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weights.shape)


def gguf_name(name):
    """The GGUF name of a Hugging Face tensor of this family."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{MATRICES[part][0] if part in MATRICES else NORMS[part]}.weight"


def in_gguf_order(name, weights, heads=HEADS, key_value_heads=KEY_VALUE_HEADS):
    """A Hugging Face tensor with its rows where GGUF has them."""
    if name.endswith("q_proj.weight"):
        return permuted(weights, heads)
    if name.endswith("k_proj.weight"):
        return permuted(weights, key_value_heads)
    return weights


def awkward_rows(rng, weights):
    """Replaces the first rows with what block encoders trip over."""
    columns = weights.shape[1]
    weights[0] = 0
    weights[1] = -0.0
    weights[2] = rng.normal(0, 1e-7, columns)  # scales that are subnormal halves
    weights[3] = rng.normal(0, 1e-12, columns)  # scales that vanish as halves
    weights[4] = rng.normal(0, 300, columns)
    weights[5] = 1  # constant blocks: no range at all
    weights[6] = -3.25
    weights[7] = rng.integers(-8, 8, columns) / 8  # ties in rounding
    weights[8, ::32], weights[8, 1::32] = 5, -5  # two extremes of equal size
    weights[9] = np.abs(weights[9])
    weights[10] = -np.abs(weights[10])


class TinyLlama:
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        normal = lambda *shape: rng.normal(0, 0.05, shape).astype(np.float32)
        self.tensors = {"model.embed_tokens.weight": normal(len(TOKENS), HIDDEN)}
        for layer in range(LAYERS):
            for part, (_, shape) in MATRICES.items():
                self.tensors[f"model.layers.{layer}.{part}.weight"] = normal(*shape)
            for part in NORMS:
                self.tensors[f"model.layers.{layer}.{part}.weight"] = 1 + normal(HIDDEN)
        self.tensors["model.norm.weight"] = 1 + normal(HIDDEN)
        awkward_rows(rng, self.tensors["model.layers.0.mlp.down_proj.weight"])
        self.tensors["lm_head.weight"] = normal(len(TOKENS), HIDDEN)

    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 0,
        "hidden_size": HIDDEN, "intermediate_size": FEED_FORWARD, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KEY_VALUE_HEADS,
        "head_dim": HEAD_SIZE, "max_position_embeddings": 512, "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False,
        "torch_dtype": "float32", "vocab_size": len(TOKENS),
    }

    def save_hugging_face(self, path, tensors=None):
        """Writes config, tokenizer and `model.safetensors`; returns the folder."""
        path = Path(path)
        path.mkdir()
        write = lambda name, value: (path / name).write_text(
            json.dumps(value, ensure_ascii=False), encoding="utf-8")
        write("config.json", self.config)
        write("tokenizer_config.json", {
            "tokenizer_class": "GPT2Tokenizer", "bos_token": TOKENS[0], "eos_token": TOKENS[0],
            "add_bos_token": False, "model_max_length": 512,
            "chat_template": "{% for m in messages %}{{ m.content }}\n{% endfor %}"})
        write("tokenizer.json", {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{
                "id": 0, "content": TOKENS[0], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True}],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                "use_regex": True},
            "post_processor": None,
            "decoder": {
                "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                "use_regex": True},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None,
                "continuing_subword_prefix": None, "end_of_word_suffix": None,
                "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                "vocab": {token: index for index, token in enumerate(TOKENS)},
                "merges": [" ".join(pair) for pair in MERGES]}})
        save_file(tensors or self.tensors, path / "model.safetensors", {"format": "pt"})
        return path

    def save_gguf(self, path, encoded=None, decorate=None):
        """Writes the model with the `gguf` package; returns the path.

        `encoded` maps GGUF names to (raw block bytes as uint8 rows, type); other tensors are F32.
        `decorate` gets the writer before anything is written.
        """
        writer = gguf.GGUFWriter(str(path), "llama")
        writer.add_name("tiny")
        writer.add_context_length(512)
        writer.add_embedding_length(HIDDEN)
        writer.add_block_count(LAYERS)
        writer.add_feed_forward_length(FEED_FORWARD)
        writer.add_rope_dimension_count(HEAD_SIZE)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(KEY_VALUE_HEADS)
        writer.add_rope_freq_base(10000)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_file_type(0)
        writer.add_vocab_size(len(TOKENS))
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(TOKENS)
        writer.add_token_types([3] + [1] * (len(TOKENS) - 1))
        writer.add_token_merges([" ".join(pair) for pair in MERGES])
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(0)
        writer.add_add_bos_token(False)
        if decorate:
            decorate(writer)
        for name, weights in self.tensors.items():
            block = (encoded or {}).get(gguf_name(name))
            if block:
                writer.add_tensor(gguf_name(name), block[0], raw_dtype=block[1])
            else:
                writer.add_tensor(gguf_name(name), np.ascontiguousarray(in_gguf_order(name, weights)))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return Path(path)
