"""Hugging Face → GGUF → Hugging Face: the same weights, the same tokenizer."""

import json

import numpy as np
import pytest
import tokenizers
from models import TinyLlama
from support import SHARED, TINY, needs_shared, run
from test_safetensors import entries

TEXTS = [
    "the and in the here", "Hello, wörld!  12345 — naïve\n\n\tthere ", "", " ", "\n\n\n", "日本語 🙂 z̈",
    "don't I'LL we've 3.14159 1,000,000", "<|endoftext|>the end<|endoftext|>", "a" * 100,
    "def f(x):\n    return x ** 2  # ok\r\n", "\u00a0\u2003wide\u200bspaces",
]


def round_trip(source, folder, kind):
    run("convert", source, folder / "middle.gguf", "--type", kind)
    run("convert", folder / "middle.gguf", folder / "back")
    return folder / "back"


def same_tokenizer(before, after):
    one = tokenizers.Tokenizer.from_file(str(before / "tokenizer.json"))
    two = tokenizers.Tokenizer.from_file(str(after / "tokenizer.json"))
    assert two.get_vocab(with_added_tokens=True) == one.get_vocab(with_added_tokens=True)
    for text in TEXTS:
        # Whether BOS is added may be said in `tokenizer_config.json` before and by a post-processor
        # after; `tokenize` reads both.
        ids = one.encode(text, add_special_tokens=False).ids
        assert two.encode(text, add_special_tokens=False).ids == ids, text
        assert two.decode(ids) == one.decode(ids), text
    text = "The policy on special tokens stays."
    ids = [run("detent", "tokenize", f, "--text", text, "--json").stdout for f in (before, after)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_floats_survive_the_round_trip(tmp_path, kind):
    """The rotary rows of Q and K move and come back; vectors stay F32 inside GGUF and lose nothing."""
    dtype = {"f32": np.float32, "f16": np.float16}[kind]
    model = TinyLlama(seed=7)
    source = {name: tensor.astype(dtype) for name, tensor in model.tensors.items()}
    folder = model.save_hugging_face(tmp_path / "in", source)
    back = round_trip(folder, tmp_path, kind)
    result, _ = entries(back / "model.safetensors")
    assert sorted(result) == sorted(source)
    for name, tensor in source.items():
        found, shape, raw = result[name]
        values = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[found]).reshape(shape)
        assert list(tensor.shape) == shape
        assert values.astype(np.float32).tobytes() == tensor.astype(np.float32).tobytes(), name
        if tensor.ndim > 1:
            assert found == kind.upper()
    same_tokenizer(folder, back)


def test_bf16_survives_the_round_trip(tmp_path):
    back = round_trip(TINY, tmp_path, "bf16")
    before, after = entries(TINY / "model.safetensors")[0], entries(back / "model.safetensors")[0]
    assert sorted(after) == sorted(before)
    for name, (_, shape, raw) in before.items():
        if len(shape) > 1:
            assert after[name] == ("BF16", shape, raw), name
        else:
            kind, found, bits = after[name]
            wanted = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).tobytes()
            assert found == shape and bits == (raw if kind == "BF16" else wanted), name
    same_tokenizer(TINY, back)


def test_the_configuration_comes_back(tmp_path, llama):
    config = json.loads((round_trip(llama, tmp_path, "f32") / "config.json").read_text())
    wanted = {k: v for k, v in TinyLlama.config.items() if k not in (
        "initializer_range", "attention_bias", "mlp_bias", "torch_dtype", "rope_theta", "rope_scaling")}
    assert {k: config.get(k) for k in wanted} == wanted
    theta = config.get("rope_theta", config.get("rope_parameters", {}).get("rope_theta"))
    assert theta == 10000


def test_the_chat_template_comes_back(tmp_path, llama):
    back = round_trip(llama, tmp_path, "f32")
    wanted = json.loads((llama / "tokenizer_config.json").read_text())["chat_template"]
    beside = back / "chat_template.jinja"
    found = json.loads((back / "tokenizer_config.json").read_text()).get("chat_template")
    assert (found or beside.read_text()) == wanted


def test_tokenize_is_the_tokenizers_library(llama, tmp_path):
    library = tokenizers.Tokenizer.from_file(str(llama / "tokenizer.json"))
    for index, text in enumerate(TEXTS):
        file = tmp_path / f"{index}.txt"
        file.write_bytes(text.encode())
        result = run("detent", "tokenize", llama, "--file", file, "--json")
        assert json.loads(result.stdout)["ids"] == library.encode(text).ids, text


@needs_shared
@pytest.mark.parametrize("name", ["llama", "llama-tied-bf16", "llama3-rope"])
def test_other_checkpoints_come_back(tmp_path, name):
    source = SHARED / "arch" / name
    kinds = {kind for kind, _, _ in entries(source / "model.safetensors")[0].values()}
    kind = "bf16" if kinds == {"BF16"} else "f16" if kinds == {"F16"} else "f32"
    back = round_trip(source, tmp_path, kind)
    before, after = entries(source / "model.safetensors")[0], entries(back / "model.safetensors")[0]
    assert sorted(after) == sorted(before)
    for tensor, (found, shape, raw) in before.items():
        assert after[tensor][1] == shape
        if len(shape) > 1:
            assert after[tensor] == (found, shape, raw), tensor
    same_tokenizer(source, back)
