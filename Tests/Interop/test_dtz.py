"""DTZ: any stock zstd tests our files, and what went into one comes out byte for byte."""

import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file
from support import BAD_INPUT, FAILED, OK, ROOT, TINY, run

sys.path.insert(0, str(ROOT / "Formats" / "DTZ"))
from dtz import Tensor, content_digest  # noqa: E402

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")
FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
         "tokenizer_config.json"]


def check(path):
    subprocess.run(["zstd", "-t", "-q", str(path)], check=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("dtz") / "tiny.dtz"
    run("convert", TINY, path)
    return path


@needs_zstd
def test_zstd_tests_our_files(tiny, tmp_path):
    check(tiny)
    for type in ("q8_0", "q4_0", "q4_k", "f32"):
        run("convert", TINY, tmp_path / f"{type}.gguf.dtz", "--type", type)
        check(tmp_path / f"{type}.gguf.dtz")
    for options in (["--level", "5"], ["--long", "--level", "3"]):
        run("convert", TINY, tmp_path / "m.dtz", *options)
        check(tmp_path / "m.dtz")


def test_a_folder_comes_back(tiny, tmp_path):
    run("convert", tiny, tmp_path / "back")
    assert sorted(f.name for f in (tmp_path / "back").iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / "back" / name).read_bytes() == (TINY / name).read_bytes()


def test_shards_come_back(tmp_path):
    run("convert", TINY, tmp_path / "shards", "--max-shard-size", "2MB")
    run("convert", tmp_path / "shards", tmp_path / "m.dtz")
    run("convert", tmp_path / "m.dtz", tmp_path / "back")
    names = sorted(f.name for f in (tmp_path / "shards").iterdir())
    assert len([n for n in names if "-of-" in n]) > 2
    assert names == sorted(f.name for f in (tmp_path / "back").iterdir())
    for name in names:
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "shards" / name).read_bytes()
    # As one file, they are what they would have been.
    run("convert", tmp_path / "m.dtz", tmp_path / "one" / "model.safetensors")
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (
        TINY / "model.safetensors").read_bytes()
    assert not (tmp_path / "one" / "model.safetensors.index.json").exists()


@pytest.mark.parametrize("version", [2, 3])
def test_gguf_comes_back(tmp_path, version):
    run("convert", TINY, tmp_path / "m.gguf", "--type", "q4_0")
    data = bytearray((tmp_path / "m.gguf").read_bytes())
    struct.pack_into("<I", data, 4, version)
    (tmp_path / "m.gguf").write_bytes(data)
    run("convert", tmp_path / "m.gguf", tmp_path / "m.dtz")
    run("convert", tmp_path / "m.dtz", tmp_path / "back.gguf")
    assert (tmp_path / "back.gguf").read_bytes() == bytes(data)


def test_parts_of_gguf_come_back(tmp_path):
    run("convert", TINY, tmp_path / "m.gguf", "--max-shard-size", "3MB")
    parts = sorted(tmp_path.glob("m-*.gguf"))
    assert len(parts) > 1
    run("convert", parts[0], tmp_path / "m.dtz")
    name = parts[0].name.replace("m-", "back-")
    run("convert", tmp_path / "m.dtz", tmp_path / name)
    for part in parts:
        assert part.read_bytes() == (tmp_path / part.name.replace("m-", "back-")).read_bytes()


def test_headers_that_nobody_would_write_come_back(tmp_path):
    """Spaces, another order, tensors of every width out of order."""
    a, b = np.arange(12, dtype=np.int64), np.ones(5, dtype=np.uint8)
    header = json.dumps({
        "b": {"shape": [5], "dtype": "U8", "data_offsets": [0, 5]},
        "a": {"data_offsets": [5, 101], "dtype": "I64", "shape": [3, 4]},
    }, indent=3).encode() + b" " * 3
    file = struct.pack("<Q", len(header)) + header + b.tobytes() + a.tobytes()
    (tmp_path / "m.safetensors").write_bytes(file)
    run("convert", tmp_path / "m.safetensors", tmp_path / "m.dtz")
    run("convert", tmp_path / "m.dtz", tmp_path / "back" / "m.safetensors")
    assert (tmp_path / "back" / "m.safetensors").read_bytes() == file


def test_the_digest_is_that_of_the_specification(tmp_path):
    rng = np.random.default_rng(5)
    tensors = {"w": rng.normal(size=(3, 4)).astype(np.float32), "é": np.arange(3, dtype=np.int16)}
    save_file(tensors, tmp_path / "m.safetensors")
    names = {"float32": (0, "F32"), "int16": (0, "I16")}
    expected = content_digest([
        Tensor(n, names[str(x.dtype)], list(x.shape), x.tobytes(),
               digest=hashlib.sha256(x.tobytes()).digest()) for n, x in tensors.items()]).hex()
    run("convert", tmp_path / "m.safetensors", tmp_path / "m.dtz")
    for name in ("m.safetensors", "m.dtz"):
        found = json.loads(run("detent", "verify", tmp_path / name, "--json").stdout)
        assert found["digest"] == expected and found["damage"] == []
        run("detent", "verify", tmp_path / name, "--digest", expected)
        run("detent", "verify", tmp_path / name, "--digest", "0" * 64, status=FAILED)


def test_differences_need_their_base(tmp_path):
    rng = np.random.default_rng(6)
    base = rng.normal(size=(512, 512)).astype(np.float32)
    tuned = base.copy()
    tuned[::64] += 1e-3
    for name, x in (("base", base), ("tuned", tuned)):
        (tmp_path / name).mkdir()
        save_file({"w": x}, tmp_path / name / "model.safetensors")
    run("convert", tmp_path / "tuned", tmp_path / "d.dtz", "--base", tmp_path / "base")
    assert (tmp_path / "d.dtz").stat().st_size < tuned.nbytes / 10
    run("convert", tmp_path / "d.dtz", tmp_path / "back")
    same = (tmp_path / "back" / "model.safetensors").read_bytes()
    assert same == (tmp_path / "tuned" / "model.safetensors").read_bytes()
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    run("detent", "verify", tmp_path / "d.dtz", status=BAD_INPUT)
    run("detent", "verify", tmp_path / "d.dtz", "--base", tmp_path / "elsewhere")
    run("detent", "verify", tmp_path / "d.dtz", "--base", tmp_path / "tuned", status=FAILED)


def test_differences_become_another_format(tmp_path):
    """The base is the one that is named, also where the output is of another kind."""
    for name in ("base", "m"):
        shutil.copytree(TINY, tmp_path / name)
    path = tmp_path / "m" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-4000::2] = bytes(byte ^ 1 for byte in data[-4000::2])
    path.write_bytes(data)
    run("convert", tmp_path / "m", tmp_path / "m.dtz", "--base", tmp_path / "base")
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    run("convert", tmp_path / "m.dtz", tmp_path / "lost.gguf", status=BAD_INPUT)
    run("convert", tmp_path / "m.dtz", tmp_path / "back.gguf", "--base", tmp_path / "elsewhere")
    run("convert", tmp_path / "m", tmp_path / "m.gguf")
    assert tensors(TINY) != tensors(tmp_path / "m")
    found, plain = (json.loads(run("detent", "verify", tmp_path / name, "--json").stdout)
                    for name in ("back.gguf", "m.gguf"))
    assert found["digest"] == plain["digest"]


def test_a_damaged_tensor_is_named_and_the_others_saved(tiny, tmp_path):
    data = bytearray(tiny.read_bytes())
    data[len(data) // 2] ^= 0x10
    (tmp_path / "bad.dtz").write_bytes(data)
    result = run("detent", "verify", tmp_path / "bad.dtz", status=FAILED)
    words = result.stderr.decode()
    assert "tensor 'model." in words and "chunk" in words
    run("convert", tmp_path / "bad.dtz", tmp_path / "out", status=BAD_INPUT)
    assert not (tmp_path / "out").exists()
    run("convert", tmp_path / "bad.dtz", tmp_path / "out", "--salvage", status=FAILED)
    whole, saved = tensors(TINY), tensors(tmp_path / "out")
    assert len(saved) == len(whole) - 1
    assert all(whole[name] == data for name, data in saved.items())


def test_a_truncated_file_gives_what_it_still_holds(tiny, tmp_path):
    data = tiny.read_bytes()
    (tmp_path / "cut.dtz").write_bytes(data[: len(data) * 2 // 3])
    run("detent", "verify", tmp_path / "cut.dtz", status=BAD_INPUT)
    result = run("convert", tmp_path / "cut.dtz", tmp_path / "out", "--salvage", status=FAILED)
    assert "is lost" in result.stderr.decode()
    whole, saved = tensors(TINY), tensors(tmp_path / "out")
    assert 5 < len(saved) < len(whole)
    assert all(whole[name] == data for name, data in saved.items())
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (
        TINY / "tokenizer.json").read_bytes()


def tensors(folder):
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    return {name: data[8 + size:][slice(*entry["data_offsets"])]
            for name, entry in header.items() if name != "__metadata__"}


def test_commands_read_and_write_it(tiny, tmp_path):
    run("quantize", tiny, tmp_path / "q.gguf.dtz", "--type", "q4_0")
    run("quantize", TINY, tmp_path / "q.gguf", "--type", "q4_0", "--no-provenance")
    found = json.loads(run("detent", "verify", tmp_path / "q.gguf.dtz", "--json").stdout)
    plain = json.loads(run("detent", "verify", tmp_path / "q.gguf", "--json").stdout)
    assert found["digest"] == plain["digest"]
    run("quantize", TINY, tmp_path / "far.gguf.dtz", "--type", "q4_0", "--level", 3, "--long")
    again = json.loads(run("detent", "verify", tmp_path / "far.gguf.dtz", "--json").stdout)
    assert again["digest"] == plain["digest"]
    shown = json.loads(run("detent", "inspect", tmp_path / "q.gguf.dtz", "--json").stdout)
    assert shown["compressed"] and shown["format"] == "gguf"
    report = tmp_path / "r.json"
    run("evalppl", tmp_path / "q.gguf.dtz", "--reference", tiny, "--chunks", 1, "--json", report)
    said = run("detent", "generate", tiny, "--prompt", "The", "--max-tokens", 4).stdout
    assert said == run("detent", "generate", TINY, "--prompt", "The", "--max-tokens", 4).stdout


def test_the_same_bytes_on_any_number_of_threads(tmp_path):
    for threads in (1, 2, 3):
        run("convert", TINY, tmp_path / f"{threads}.dtz", "--threads", threads)
    assert len({(tmp_path / f"{n}.dtz").read_bytes() for n in (1, 2, 3)}) == 1


def test_damaged_files_end_in_words(tiny, tmp_path):
    data = tiny.read_bytes()
    random.seed(8)
    for case in range(40):
        bad = bytearray(data)
        for _ in range(random.choice([1, 4, 64])):
            # Most of the file is weights: look at both ends more often.
            end = random.choice([400, len(bad)])
            bad[random.randrange(end) if case % 2 else -1 - random.randrange(end)] ^= (
                random.randrange(1, 256))
        (tmp_path / "bad.dtz").write_bytes(bad)
        result = run("detent", "verify", tmp_path / "bad.dtz", status=(OK, FAILED, BAD_INPUT))
        assert result.returncode == OK or result.stderr.startswith((b"error", b"Verifying"))
        run("detent", "inspect", tmp_path / "bad.dtz", status=(OK, BAD_INPUT))
