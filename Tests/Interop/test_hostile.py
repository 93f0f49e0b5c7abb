"""Broken and hostile files end in exit 65 and one line that names the file: no output, no signal."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from models import TinyLlama
from support import BAD_INPUT, OK, TINY, run

SEED = 20


def expect_refusal(source, output, command="convert"):
    """The whole contract for one bad file."""
    arguments = (source, output) if command != "detent" else ("inspect", source)
    result = run(command, *arguments, status=BAD_INPUT)
    complaint(result, source)
    assert not output.exists()
    assert not list(output.parent.glob(".*partial")), "a temporary file stayed behind"


def complaint(result, source):
    lines = [line for line in result.stderr.decode().splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith("Hint:")]
    assert len(errors) == 1, f"{source.name}: expected one line, got {lines}"
    assert source.name in errors[0], f"{source.name} is not named: {errors[0]}"
    assert result.stdout == b"", f"{source.name}: only results go to stdout"


def each(cases, check):
    """Runs `check` for every case, two at a time, and reports all failures together."""
    failures = []

    def guarded(case):
        try:
            check(case)
        except AssertionError as error:
            failures.append(f"{case[0]}: {error}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(guarded, cases))
    assert not failures, "\n\n".join(sorted(failures)[:10]) + f"\n\n{len(failures)} failures"


# -- safetensors ---------------------------------------------------------------------------------


def container(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), start=0, end=8, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]} | more


BIG = 2**63 - 1
SAFETENSORS = {
    "empty": b"",
    "seven-bytes": b"\x02\0\0\0\0\0\0",
    "no-header": struct.pack("<Q", 0),
    "length-of-all": container(b"{}", length=2**64 - 1),
    "length-beyond-file": container(b"{}", length=3),
    "length-over-cap": container(b"{}", length=100_000_001),
    "not-json": container(b"hello world"),
    "not-an-object": container(b"[1,2]"),
    "not-utf8": container(b'{"\xff\xfe":1}'),
    "open-brace": container(b'{"a":'),
    "deep": container(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "trailing-text": container(b"{}{}"),
    "tail": container({"a": entry()}, bytes(9)),
    "short-data": container({"a": entry()}, bytes(7)),
    "overlap": container({"a": entry(), "b": entry()}, bytes(8)),
    "gap": container({"a": entry(start=4, end=12)}, bytes(12)),
    "backwards": container({"a": entry(start=8, end=0)}, bytes(8)),
    "negative": container({"a": entry(start=-8, end=0)}, bytes(8)),
    "fraction": container(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8.5]}}', bytes(8)),
    "huge-number": container(b'{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,8]}}', bytes(8)),
    "over-64-bits": container(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551624]}}', bytes(8)),
    "shape-overflow": container({"a": entry(shape=(BIG, BIG))}, bytes(8)),
    "shape-wraps-to-8": container({"a": entry(shape=(2**32, 2**32, 2))}, bytes(8)),
    "shape-negative": container({"a": entry(shape=(-2,))}, bytes(8)),
    "shape-of-strings": container({"a": entry(shape=("2",))}, bytes(8)),
    "size-mismatch": container({"a": entry(shape=(3,))}, bytes(8)),
    "unknown-type": container({"a": entry(dtype="Q9")}, bytes(8)),
    "no-type": container({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "one-offset": container({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, bytes(8)),
    "three-offsets": container(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]}}, bytes(8)),
    "duplicate": container(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
    "metadata-number": container({"__metadata__": {"a": 1}, "a": entry()}, bytes(8)),
    "metadata-list": container({"__metadata__": [], "a": entry()}, bytes(8)),
    "terminal-escape": container({"\u001b[2J\u0007": entry(shape=(3,))}, bytes(8)),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_hostile_safetensors(tmp_path, name):
    source = tmp_path / f"{name}.safetensors"
    source.write_bytes(SAFETENSORS[name])
    expect_refusal(source, tmp_path / "out.safetensors")
    expect_refusal(source, tmp_path / "unused", "detent")


def test_errors_do_not_reach_the_terminal_as_commands(tmp_path):
    source = tmp_path / "escape.safetensors"
    source.write_bytes(SAFETENSORS["terminal-escape"])
    result = run("convert", source, tmp_path / "out.safetensors", status=BAD_INPUT)
    assert not {0x1B, 0x07} & set(result.stderr)


def cuts(size, header):
    """Every kind of place to cut: inside the fixed fields, the header, at its end, in the data."""
    rng = np.random.default_rng(SEED)
    inside = rng.integers(1, header, 12).tolist() + rng.integers(header, size - 1, 4).tolist()
    return sorted({1, 7, 8, 9, 15, 16, 17, 23, 24, header - 1, header, header + 1, size - 1, *inside})


def test_every_truncation_of_a_safetensors_is_refused(tmp_path, llama):
    whole = (llama / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])

    def check(case):
        source = tmp_path / f"{case[0]}.safetensors"
        source.write_bytes(whole[:case[1]])
        expect_refusal(source, tmp_path / f"{case[0]}.out.safetensors")
        source.unlink()

    each([(f"cut-{at}", at) for at in cuts(len(whole), 8 + length)], check)


# -- GGUF ----------------------------------------------------------------------------------------


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_file(keys=b"", key_count=0, infos=b"", tensor_count=0, data=b"", version=3, magic=b"GGUF"):
    head = magic + struct.pack("<IQQ", version, tensor_count, key_count) + keys + infos
    return head + bytes(-len(head) % 32) + data


def key(name, kind, value):
    return string(name) + struct.pack("<I", kind) + value


def info(name="t", shape=(32,), kind=0, offset=0, dimensions=None):
    count = len(shape) if dimensions is None else dimensions
    return (string(name) + struct.pack("<I", count)
            + b"".join(struct.pack("<Q", n) for n in shape) + struct.pack("<IQ", kind, offset))


ARCHITECTURE = key("general.architecture", 8, string("llama"))


def one(**fields):
    data = fields.pop("data", bytes(128))
    return gguf_file(ARCHITECTURE, 1, info(**fields), 1, data)


GGUF = {
    "empty": b"",
    "magic-only": b"GGUF",
    "other-magic": gguf_file(magic=b"GGML"),
    "version-0": gguf_file(version=0),
    "version-1": gguf_file(version=1),
    "version-4": gguf_file(version=4),
    "big-endian": gguf_file(version=3 << 24),
    "keys-claimed": gguf_file(key_count=2**60),
    "keys-max": gguf_file(key_count=2**64 - 1),
    "tensors-claimed": gguf_file(ARCHITECTURE, 1, tensor_count=2**60),
    "tensors-max": gguf_file(ARCHITECTURE, 1, tensor_count=2**64 - 1),
    "key-length-max": gguf_file(struct.pack("<Q", 2**64 - 1) + b"x", 1),
    "string-length-max": gguf_file(string("a") + struct.pack("<IQ", 8, 2**64 - 1), 1),
    "array-count-max": gguf_file(key("a", 9, struct.pack("<IQ", 0, 2**64 - 1)), 1),
    "array-of-strings-claimed": gguf_file(key("a", 9, struct.pack("<IQ", 8, 2**40)), 1),
    "array-size-overflow": gguf_file(key("a", 9, struct.pack("<IQ", 10, 2**61)), 1),
    "array-deep": gguf_file(key("a", 9, struct.pack("<IQ", 9, 1) * 50_000), 1),
    "unknown-value-type": gguf_file(key("a", 13, bytes(8)), 1),
    "unknown-element-type": gguf_file(key("a", 9, struct.pack("<IQ", 77, 1) + bytes(8)), 1),
    "duplicate-key": gguf_file(ARCHITECTURE * 2, 2),
    "key-not-utf8": gguf_file(key(b"\xff\xfe", 0, b"\0"), 1),
    "alignment-0": gguf_file(
        ARCHITECTURE + key("general.alignment", 4, struct.pack("<I", 0)), 2, info(), 1, bytes(128)),
    "alignment-33": gguf_file(
        ARCHITECTURE + key("general.alignment", 4, struct.pack("<I", 33)), 2, info(), 1, bytes(128)),
    "alignment-max": gguf_file(
        ARCHITECTURE + key("general.alignment", 4, struct.pack("<I", 2**31)), 2, info(), 1, bytes(128)),
    "unknown-encoding": one(kind=4096),
    "removed-encoding": one(kind=4, data=bytes(1024)),
    "no-data": one(data=b""),
    "short-data": one(data=bytes(127)),
    "misaligned-offset": one(offset=4, data=bytes(256)),
    "offset-max": one(offset=2**64 - 32),
    "offset-beyond": one(offset=2**40),
    "shape-overflow": one(shape=(2**63, 2**63)),
    "shape-wraps-to-32": one(shape=(2**32, 2**32, 32)),
    "five-dimensions": one(shape=(1, 1, 1, 1, 32)),
    "dimensions-max": one(shape=(), dimensions=2**32 - 1),
    "row-no-multiple-of-block": one(shape=(31,), kind=2),
    "duplicate-tensor": gguf_file(ARCHITECTURE, 1, info() + info(offset=128), 2, bytes(256)),
    "overlap": gguf_file(ARCHITECTURE, 1, info("a") + info("b", offset=64), 2, bytes(256)),
    "terminal-escape": one(name="\x1b[2J\x07", kind=4096),
}


@pytest.mark.parametrize("name", GGUF)
def test_hostile_gguf(tmp_path, name):
    source = tmp_path / f"{name}.gguf"
    source.write_bytes(GGUF[name])
    expect_refusal(source, tmp_path / "out.gguf")
    expect_refusal(source, tmp_path / "unused", "detent")


@pytest.fixture(scope="module")
def gguf_bytes(llama_gguf):
    return llama_gguf.read_bytes()


def header_size(whole):
    import gguf
    import tempfile
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(whole)
        file.flush()
        return int(gguf.GGUFReader(file.name).data_offset)


def test_every_truncation_of_a_gguf_is_refused(tmp_path, gguf_bytes):
    def check(case):
        source = tmp_path / f"{case[0]}.gguf"
        source.write_bytes(gguf_bytes[:case[1]])
        expect_refusal(source, tmp_path / f"{case[0]}.out.gguf")
        source.unlink()

    each([(f"cut-{at}", at) for at in cuts(len(gguf_bytes), header_size(gguf_bytes))], check)


# -- single bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_flipped_bits_are_refused_or_harmless(tmp_path, llama, gguf_bytes, kind):
    """A flip in a header is either noticed, or leaves a file that still means something."""
    whole = gguf_bytes if kind == "gguf" else (llama / "model.safetensors").read_bytes()
    size = header_size(whole) if kind == "gguf" else 8 + struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(SEED)
    # Every bit of the fixed fields, then a sample of what follows.
    places = [*range(64 if kind == "safetensors" else 192), *rng.integers(0, size * 8, 120).tolist()]

    def check(case):
        _, bit = case
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        source, output = tmp_path / f"{case[0]}.{kind}", tmp_path / f"{case[0]}.out.{kind}"
        source.write_bytes(damaged)
        result = run("convert", source, output, status=(OK, BAD_INPUT))
        if result.returncode == BAD_INPUT:
            complaint(result, source)
        assert output.exists() == (result.returncode == OK)
        source.unlink()
        output.unlink(missing_ok=True)

    each([(f"bit-{place}", place) for place in dict.fromkeys(places)], check)


# -- what stands beside the weights ----------------------------------------------------------------


def folder_with(tmp_path, **files):
    folder = TinyLlama(seed=1).save_hugging_face(tmp_path / "model")
    for name, body in files.items():
        (folder / name.replace("__", ".")).write_bytes(body)
    return folder


@pytest.mark.parametrize("name, body", [
    ("config__json", b"{"), ("config__json", b"[]"), ("config__json", b"{}"),
    ("config__json", json.dumps(TinyLlama.config | {"num_attention_heads": 0}).encode()),
    ("config__json", json.dumps(TinyLlama.config | {"num_hidden_layers": 10**15}).encode()),
    ("config__json", json.dumps(TinyLlama.config | {"hidden_size": -256}).encode()),
    ("config__json", json.dumps(TinyLlama.config | {"num_key_value_heads": 3}).encode()),
    ("config__json", json.dumps(TinyLlama.config | {"rms_norm_eps": "small"}).encode()),
    ("config__json", json.dumps(TinyLlama.config | {"model_type": "mamba",
                                                    "architectures": ["MambaForCausalLM"]}).encode()),
    ("tokenizer__json", b"{"), ("tokenizer__json", b'{"model":{"type":"BPE"}}'),
])
def test_bad_files_beside_the_weights_are_refused(tmp_path, name, body):
    folder = folder_with(tmp_path, **{name: body})
    result = run("convert", folder, tmp_path / "out.gguf", status=BAD_INPUT)
    lines = [l for l in result.stderr.decode().splitlines() if l.strip() and not l.startswith("Hint:")]
    assert len(lines) == 1, lines
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize("command, flags", [
    ("quantize", ("--method", "rtn", "--bits", "4")),
    ("quantize", ("--method", "gptq", "--bits", "4", "--nsamples", "2")),
    ("quantize", ("--dry-run",)),
    ("evalppl", ("--json",)),
])
@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_every_command_refuses_alike(tmp_path, gguf_bytes, command, flags, kind):
    """Cut in the middle of the weights: each command that reads a model says so in the same way."""
    folder = TinyLlama(seed=1).save_hugging_face(tmp_path / "model")
    source, output = folder / f"model.{kind}", tmp_path / "out.gguf"
    whole = gguf_bytes if kind == "gguf" else source.read_bytes()
    source.write_bytes(whole[:len(whole) * 3 // 4])
    result = run(command, source, *flags, output, status=BAD_INPUT)
    complaint(result, source)
    assert not output.exists()


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    """A NaN has no nearest code. The message names the tensor, and its place in it."""
    model = TinyLlama(seed=1)
    tensors = {name: weights.copy() for name, weights in model.tensors.items()}
    tensors["model.layers.0.mlp.up_proj.weight"][3, 17] = np.nan
    folder = model.save_hugging_face(tmp_path / "model", tensors)
    for command, flags in [
        ("convert", ("--type", "q8_0")), ("quantize", ("--method", "rtn")),
        ("quantize", ("--method", "gptq", "--nsamples", "2")),
    ]:
        result = run(command, folder, tmp_path / "out.gguf", *flags, status=BAD_INPUT)
        words = result.stderr.decode()
        assert "ffn_up" in words or "up_proj" in words, words
        assert not (tmp_path / "out.gguf").exists()


def test_an_index_may_not_leave_its_folder(tmp_path):
    """A shard named `../secret` would let a download read any file of its user."""
    folder = TinyLlama(seed=1).save_hugging_face(tmp_path / "model")
    weights = folder / "model.safetensors"
    outside = tmp_path / "outside.safetensors"
    weights.rename(outside)
    names = TinyLlama(seed=1).tensors
    for target in ("../outside.safetensors", str(outside)):
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": {n: target for n in names}}))
        run("convert", folder, tmp_path / "out.gguf", status=BAD_INPUT)
        assert not (tmp_path / "out.gguf").exists()


def test_a_missing_file_is_not_bad_input(tmp_path):
    result = run("convert", tmp_path / "absent.gguf", tmp_path / "out.gguf", status=74)
    assert b"absent.gguf" in result.stderr


def test_usage_errors_say_so(tmp_path):
    run("quantize", "--method", "magic", TINY, tmp_path / "out.gguf", status=64)
    run("quantize", "--bits", "11", TINY, tmp_path / "out.gguf", status=64)
    run("convert", status=64)
