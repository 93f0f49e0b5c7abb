"""GPTQ checkpoints mean the same to us as to a plain decoder of their published layout."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from support import SHARED, TINY, needs_shared, run
from test_safetensors import entries


def unpacked(words, bits, axis):
    """The codes inside I32 words, lowest bits first, along `axis` (GPTQ packs a run of 32 codes densely)."""
    stream = np.moveaxis(words.view(np.uint32), axis, -1)
    each = (stream[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    each = each.reshape(*stream.shape[:-1], -1, bits)
    codes = (each << np.arange(bits, dtype=np.uint32)).sum(-1).astype(np.int64)
    return np.moveaxis(codes, -1, axis)


def decoded(tensors, name, bits):
    """weight (out, in) = scales · (codes − (zeros + 1)): zero points are stored minus one."""
    codes = unpacked(tensors[f"{name}.qweight"], bits, 0)  # (in, out)
    zeros = (unpacked(tensors[f"{name}.qzeros"], bits, 1) + 1) % (1 << bits)  # (groups, out)
    scales = tensors[f"{name}.scales"].astype(np.float32)
    groups = tensors[f"{name}.g_idx"]
    return (scales[groups] * (codes - zeros[groups])).T


def floats(path):
    """Every float tensor of a file as F32."""
    widen = {
        "F32": lambda raw: np.frombuffer(raw, "<f4"),
        "F16": lambda raw: np.frombuffer(raw, "<f2").astype(np.float32),
        "BF16": lambda raw: (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32),
    }
    return {n: widen[k](raw).reshape(s) for n, (k, s, raw) in entries(path)[0].items() if k in widen}


def integers(path):
    """The tensors that numpy has types for; norms in BF16 are left out."""
    kinds = {"I32": "<i4", "F16": "<f2", "F32": "<f4"}
    return {n: np.frombuffer(raw, kinds[k]).reshape(s)
            for n, (k, s, raw) in entries(path)[0].items() if k in kinds}


def matrices(tensors):
    return sorted(n.removesuffix(".qweight") for n in tensors if n.endswith(".qweight"))


@needs_shared
@pytest.mark.parametrize("name", ["llama4l-gptq-w4g128-sym", "llama4l-gptq-w4g128-asym"])
def test_files_of_others_decode_as_published(tmp_path, name):
    source = SHARED / "quantized" / name
    run("convert", source, tmp_path / "out", "--type", "f32")
    result = load_file(tmp_path / "out" / "model.safetensors")
    tensors = integers(source / "model.safetensors")
    names = matrices(tensors)
    assert names
    for matrix in names:
        assert np.array_equal(result[f"{matrix}.weight"], decoded(tensors, matrix, 4)), matrix


RECIPES = [(4, 128, "--sym"), (4, 32, "--asym"), (8, 128, "--sym"), (4, 64, "--sym"),
           (3, 128, "--asym"), (2, 64, "--asym")]


@pytest.mark.parametrize("bits, group, symmetry", RECIPES)
@pytest.mark.parametrize("method", ["rtn", "gptq"])
def test_what_we_write_decodes_as_published(tmp_path, method, bits, group, symmetry):
    samples = ("--nsamples", 4) if method == "gptq" else ()
    run("quantize", TINY, tmp_path / "out", "--method", method, "--bits", bits,
        "--group-size", group, symmetry, *samples)
    config = json.loads((tmp_path / "out" / "config.json").read_text())["quantization_config"]
    assert config["quant_method"] == "gptq" and config["bits"] == bits
    assert config["group_size"] == group and config["sym"] == (symmetry == "--sym")

    tensors = integers(tmp_path / "out" / "model.safetensors")
    source = floats(TINY / "model.safetensors")
    run("convert", tmp_path / "out", tmp_path / "floats", "--type", "f32")
    ours = floats(tmp_path / "floats" / "model.safetensors")
    names = matrices(tensors)
    assert len(names) == 4 * 7
    for matrix in names:
        plain = decoded(tensors, matrix, bits)
        assert np.array_equal(ours[f"{matrix}.weight"], plain), matrix
        # A wrong nibble order or zero point leaves nothing of the matrix; rounding leaves most of it.
        weights = source[f"{matrix}.weight"]
        error = np.linalg.norm(plain - weights) / np.linalg.norm(weights)
        assert error < {2: 0.8, 3: 0.4, 4: 0.2, 8: 0.02}[bits], f"{matrix}: relative error {error:.3f}"


def test_a_gptq_folder_has_one_perplexity(tmp_path):
    """Read as GPTQ or decoded to F32 first: the same weights, so nearly the same figure."""
    run("quantize", TINY, tmp_path / "out", "--method", "rtn", "--bits", 4, "--group-size", 128)
    run("convert", tmp_path / "out", tmp_path / "floats", "--type", "f32")
    figures = []
    for name in ("out", "floats"):
        run("evalppl", tmp_path / name, "--chunks", 2, "--json", tmp_path / f"{name}.json")
        figures.append(json.loads((tmp_path / f"{name}.json").read_text())["perplexity"])
    assert figures[0] == pytest.approx(figures[1], rel=1e-6)
