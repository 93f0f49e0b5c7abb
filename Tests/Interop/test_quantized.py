"""Checkpoints that others quantized decode to what a plain decoder of their published layouts gives."""

import json

import gguf
import numpy as np
import pytest
from gguf import quants
from safetensors.numpy import load_file
from support import BAD_INPUT, SHARED, needs_shared, run
from test_safetensors import entries

E2M1 = np.array([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6], np.float32)
WIDEN = {
    "F32": lambda raw: np.frombuffer(raw, "<f4"),
    "F16": lambda raw: np.frombuffer(raw, "<f2").astype(np.float32),
    "BF16": lambda raw: (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32),
    "F8_E4M3": lambda raw: e4m3(np.frombuffer(raw, "u1")),
    "I32": lambda raw: np.frombuffer(raw, "<u4"), "U32": lambda raw: np.frombuffer(raw, "<u4"),
    "U8": lambda raw: np.frombuffer(raw, "u1"), "I64": lambda raw: np.frombuffer(raw, "<i8"),
}


def e4m3(codes):
    """Eight-bit floats: four bits of exponent, biased by 7, three of mantissa."""
    exponents, mantissas = (codes >> 3 & 15).astype(int), (codes & 7) / 8
    values = np.where(exponents == 0, mantissas * 2.0**-6, (1 + mantissas) * 2.0 ** (exponents - 7))
    return np.where(codes & 128, -values, values).astype(np.float32)


def dense(words, bits):
    """Codes of a row, least significant bit first."""
    stream = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    stream = stream.reshape(words.shape[0], -1, bits)
    return (stream << np.arange(bits, dtype=np.uint32)).sum(-1).astype(np.int64)


def nibbles(packed):
    """Two codes to a byte, the lower half first."""
    return np.stack([packed & 15, packed >> 4], -1).reshape(packed.shape[0], -1)


def awq(t, x):
    def unpacked(words):
        order = [0, 4, 1, 5, 2, 6, 3, 7]  # the nibble of each of a word's eight outputs
        return np.stack([words >> np.uint32(4 * n) & 15 for n in order], -1).reshape(
            len(words), -1).astype(np.int64)
    groups = np.arange(len(t[f"{x}.qweight"])) // 128
    codes, zeros = unpacked(t[f"{x}.qweight"]), unpacked(t[f"{x}.qzeros"])
    return (t[f"{x}.scales"][groups] * (codes - zeros[groups])).T


def integers(t, x):
    return np.repeat(t[f"{x}.weight_scale"], 128, 1) * (dense(t[f"{x}.weight_packed"], 4) - 8)


def float8(t, x):
    return t[f"{x}.weight"] * t[f"{x}.weight_scale"]


def mxfp4(t, x):
    scales = 2.0 ** (t[f"{x}.weight_scale"].astype(int) - 127)
    return E2M1[nibbles(t[f"{x}.weight_packed"])] * np.repeat(scales, 32, 1)


def nvfp4(t, x):
    scales = (t[f"{x}.weight_scale"] / t[f"{x}.weight_global_scale"][0]).astype(np.float32)
    return E2M1[nibbles(t[f"{x}.weight_packed"])] * np.repeat(scales, 16, 1)


def mlx(t, x):
    scales, biases = (np.repeat(t[f"{x}.{part}"], 64, 1) for part in ("scales", "biases"))
    return dense(t[f"{x}.weight"], 4).astype(np.float32) * scales + biases


FOLDERS = {
    "llama4l-awq-w4g128-asym": (awq, ".qweight"), "llama4l-ct-w4a16-g128": (integers, ".weight_packed"),
    "llama4l-ct-fp8-static": (float8, ".weight_scale"), "llama4l-ct-mxfp4": (mxfp4, ".weight_packed"),
    "llama4l-ct-nvfp4": (nvfp4, ".weight_packed"), "stories260K-mlx-q4g64": (mlx, ".scales"),
}


def tensors_of(folder):
    found = entries(folder / "model.safetensors")[0]
    return {n: WIDEN[kind](raw).reshape(shape) for n, (kind, shape, raw) in found.items()}


@needs_shared
@pytest.mark.parametrize("name", FOLDERS)
def test_files_of_others_decode_as_published(tmp_path, name):
    source, (decode, suffix) = SHARED / "quantized" / name, FOLDERS[name]
    run("convert", source, tmp_path / "out", "--type", "f32")
    result = load_file(tmp_path / "out" / "model.safetensors")
    tensors = tensors_of(source)
    matrices = [n.removesuffix(suffix) for n in tensors if n.endswith(suffix)]
    assert len(matrices) >= 28
    for matrix in matrices:
        wanted = decode(tensors, matrix).astype(np.float32)
        assert np.array_equal(result[f"{matrix}.weight"], wanted), matrix
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert "quantization_config" not in config and "quantization" not in config


@needs_shared
@pytest.mark.parametrize("name", [n for n in FOLDERS if n.startswith("llama4l")])
def test_they_are_near_the_model_that_they_were_made_from(tmp_path, name):
    """A wrong order of codes, or a scale of another matrix, would leave nothing of it."""
    run("convert", SHARED / "quantized" / name, tmp_path / "out", "--type", "f32")
    result = load_file(tmp_path / "out" / "model.safetensors")
    source = load_file(SHARED / "quantized" / "llama4l-source" / "model.safetensors")
    for matrix, weights in source.items():
        error = np.linalg.norm(result[matrix] - weights) / np.linalg.norm(weights)
        assert error < 0.25, f"{matrix}: relative error {error:.3f}"


FAULTS = [
    ("llama4l-awq-w4g128-asym", {"version": "gemv"}, "quantization_config.version"),
    ("llama4l-awq-w4g128-asym", {"bits": 3}, "quantization_config.bits"),
    ("llama4l-awq-w4g128-asym", {"group_size": 64}, "qzeros"),
    ("llama4l-awq-w4g128-asym", {"quant_method": "bitsandbytes"}, "quant_method"),
    ("llama4l-ct-w4a16-g128", {"format": "marlin-24"}, "quantization_config.format"),
    ("llama4l-ct-w4a16-g128", {"quantization_status": "frozen"}, "quantization_status"),
]


@needs_shared
@pytest.mark.parametrize("name, change, word", FAULTS)
def test_what_is_not_supported_is_named(tmp_path, name, change, word):
    source = SHARED / "quantized" / name
    for file in source.iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = json.loads((source / "config.json").read_text())
    config["quantization_config"].update(change)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = run("convert", tmp_path, tmp_path / "out.gguf", "--type", "f16", status=BAD_INPUT)
    assert word in result.stderr.decode()


COINCIDING = {
    "llama4l-gptq-w4g128-sym": "Q4_0", "llama4l-gptq-w4g128-asym": "Q5_0", "llama4l-awq-w4g128-asym": "Q5_0",
    "llama4l-ct-w4a16-g128": "Q4_0", "llama4l-ct-mxfp4": "MXFP4",
}


@needs_shared
@pytest.mark.parametrize("name", COINCIDING)
def test_grids_that_coincide_hold_the_same_weights(tmp_path, name):
    """What `gguf` decodes from our GGUF is what the checkpoint held, value for value."""
    source = SHARED / "quantized" / name
    screen = run("convert", source, tmp_path / "out.gguf").stdout.decode()
    run("convert", source, tmp_path / "floats.gguf", "--type", "f32")
    found, wanted = (
        {t.name: t for t in gguf.GGUFReader(str(tmp_path / file)).tensors}
        for file in ("out.gguf", "floats.gguf"))
    moved = [n for n, t in found.items() if t.tensor_type.name == COINCIDING[name]]
    assert len(moved) == 28
    for tensor in moved:
        values = quants.dequantize(found[tensor].data, found[tensor].tensor_type)
        assert np.array_equal(values, wanted[tensor].data), tensor
    if COINCIDING[name] != "MXFP4":
        assert "28 tensors regridded, 0 of 3,145,728 values changed" in screen


@needs_shared
@pytest.mark.parametrize("name", ["llama4l-awq-w4g128-asym", "llama4l-ct-nvfp4"])
def test_quantizing_again_has_to_be_asked_for(tmp_path, name):
    source = SHARED / "quantized" / name
    result = run("quantize", source, tmp_path / "out.gguf", "--type", "q4_0", status=BAD_INPUT)
    assert "quantized already" in result.stderr.decode()
    assert "--allow-requantize" in result.stderr.decode()
    assert not (tmp_path / "out.gguf").exists()
    run("quantize", source, tmp_path / "out.gguf", "--type", "q4_0", "--allow-requantize")
    assert (tmp_path / "out.gguf").exists()


@needs_shared
def test_awq_becomes_gptq_without_a_change(tmp_path):
    source = SHARED / "quantized" / "llama4l-awq-w4g128-asym"
    run("quantize", source, tmp_path / "gptq", "--bits", 4, "--group-size", 128, "--asym")
    for folder in (source, tmp_path / "gptq"):
        run("convert", folder, tmp_path / f"{folder.name}-f32", "--type", "f32")
    theirs, ours = (load_file(tmp_path / f"{n}-f32" / "model.safetensors")
                    for n in (source.name, "gptq"))
    for matrix in (n for n in theirs if "_proj" in n):
        assert np.array_equal(ours[matrix], theirs[matrix]), matrix
