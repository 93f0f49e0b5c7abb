"""Files go both ways between us and the `safetensors` package, bit for bit."""

import json
import struct

import numpy as np
import pytest
from models import TOKENS, TinyLlama
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from support import TINY, run

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4,
          "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}


def entries(path):
    """name → (dtype, shape, bytes), and the header's metadata, read without any library."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    metadata = header.pop("__metadata__", {})
    data = raw[8 + length:]
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[start:end])
    return tensors, metadata


def official_names(path):
    with safe_open(path, "numpy") as file:
        return sorted(file.keys())


def write_every_type(path):
    """One tensor of each type the format has, each of another shape; bytes are arbitrary."""
    rng = np.random.default_rng(3)
    header, data = {"__metadata__": {"format": "pt", "ключ": "значение \"quoted\"\n"}}, b""
    shapes = [[], [1], [7], [3, 5], [2, 3, 4], [0], [4, 0, 2], [1, 1, 1, 9]]
    for index, (dtype, width) in enumerate(WIDTHS.items()):
        shape = shapes[index % len(shapes)]
        count = int(np.prod(shape, dtype=np.int64)) * width
        body = rng.integers(0, 2 if dtype == "BOOL" else 256, count, dtype=np.uint8).tobytes()
        header[f"t.{dtype.lower()}"] = {
            "dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + count]}
        data += body
    text = json.dumps(header, ensure_ascii=False).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_every_type_is_copied(tmp_path):
    source = write_every_type(tmp_path / "in.safetensors")
    run("convert", source, tmp_path / "out.safetensors")
    before, metadata = entries(source)
    after, metadata_after = entries(tmp_path / "out.safetensors")
    assert after == before
    assert metadata.items() <= metadata_after.items()
    assert official_names(tmp_path / "out.safetensors") == sorted(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_what_the_package_writes_we_copy_and_it_reads_back(tmp_path, dtype):
    source = {n: t.astype(dtype) for n, t in TinyLlama(seed=2).tensors.items()}
    TinyLlama(seed=2).save_hugging_face(tmp_path / "in", source)
    run("convert", tmp_path / "in", tmp_path / "out")
    result = load_file(tmp_path / "out" / "model.safetensors")
    assert sorted(result) == sorted(source)
    for name, tensor in source.items():
        assert result[name].dtype == dtype
        assert result[name].tobytes() == tensor.tobytes(), name


def test_bf16_is_copied(tmp_path):
    run("convert", TINY, tmp_path / "out")
    before, _ = entries(TINY / "model.safetensors")
    after, _ = entries(tmp_path / "out" / "model.safetensors")
    assert after == before
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}


def test_shards_hold_every_tensor_once(tmp_path, llama):
    out = tmp_path / "out"
    run("convert", llama, out, "--max-shard-size", "1MB")
    index = json.loads((out / "model.safetensors.index.json").read_text())
    files = sorted(out.glob("*.safetensors"))
    assert len(files) > 1
    assert [f.name for f in files] == [
        f"model-{i + 1:05}-of-{len(files):05}.safetensors" for i in range(len(files))]
    source = load_file(llama / "model.safetensors")
    assert sorted(index["weight_map"]) == sorted(source)
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in source.values())
    seen = set()
    for file in files:
        tensors = load_file(file)
        assert len(tensors) == 1 or sum(t.nbytes for t in tensors.values()) <= 1_000_000
        for name, tensor in tensors.items():
            assert index["weight_map"][name] == file.name and name not in seen
            assert tensor.tobytes() == source[name].tobytes() and tensor.dtype == source[name].dtype
            seen.add(name)
    assert seen == set(source)


def test_shards_are_read_back(tmp_path, llama):
    run("convert", llama, tmp_path / "shards", "--max-shard-size", "1MB")
    run("convert", tmp_path / "shards", tmp_path / "whole")
    result, source = load_file(tmp_path / "whole" / "model.safetensors"), load_file(llama / "model.safetensors")
    assert sorted(result) == sorted(source)
    assert all(result[name].tobytes() == source[name].tobytes() for name in source)


@pytest.mark.parametrize("name, dtype", [("f16", np.float16), ("f32", np.float32)])
def test_type_rounds_as_numpy_does(tmp_path, llama, name, dtype):
    run("convert", llama, tmp_path / "out", "--type", name)
    result, source = load_file(tmp_path / "out" / "model.safetensors"), load_file(llama / "model.safetensors")
    for tensor, weights in source.items():
        if weights.ndim > 1:
            assert result[tensor].dtype == dtype
            assert result[tensor].tobytes() == weights.astype(dtype).tobytes(), tensor


def test_bf16_rounds_to_nearest_even(tmp_path, llama):
    run("convert", llama, tmp_path / "out", "--type", "bf16")
    result, _ = entries(tmp_path / "out" / "model.safetensors")
    for name, weights in load_file(llama / "model.safetensors").items():
        if weights.ndim > 1:
            bits = weights.view(np.uint32).astype(np.uint64)
            wanted = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
            assert result[name] == ("BF16", list(weights.shape), wanted.tobytes()), name


def test_unusual_names_survive(tmp_path):
    names = ["a b", "ü", "\u202e", 'quote"', "back\\slash", "new\nline", "日本", "x" * 300]
    source = {n: np.arange(i + 1, dtype=np.int64) for i, n in enumerate(names)}
    save_file(source, tmp_path / "in.safetensors")
    run("convert", tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    result = load_file(tmp_path / "out.safetensors")
    assert sorted(result) == sorted(source)
    assert all(np.array_equal(result[n], source[n]) for n in names)


def test_tokenizer_travels_with_the_folder(tmp_path, llama):
    run("convert", llama, tmp_path / "out")
    tokenizer = json.loads((tmp_path / "out" / "tokenizer.json").read_text(encoding="utf-8"))
    assert len(tokenizer["model"]["vocab"]) == len(TOKENS)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "llama"
