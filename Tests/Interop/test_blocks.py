"""Block encoders give the bytes of `gguf.quants` and of llama.cpp, decoders their floats, through `convert`."""

import ctypes
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Encoding
from gguf import quants
from models import TinyLlama, gguf_name, in_gguf_order
from safetensors.numpy import load_file
from support import run

# Encodings for which gguf.quants has an encoder.
ENCODERS = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]
DECODERS = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
            "F16", "BF16", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"]


def ggml():
    """The library of block encoders inside llama-cpp-python."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    library = ctypes.CDLL(str(next(iter(sorted(folder.glob("libggml-base*"))))))
    floats, size = ctypes.POINTER(ctypes.c_float), ctypes.c_size_t
    library.ggml_quantize_chunk.restype = size
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, floats, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, floats]
    return library


def encoded_by_ggml(weights, kind):
    """What llama.cpp makes of whole rows when it has no importance matrix."""
    weights = np.ascontiguousarray(weights)
    rows, columns = weights.shape
    per, bytes_per = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.zeros((rows, columns // per * bytes_per), np.uint8)
    source = weights.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    size = ggml().ggml_quantize_chunk(int(kind), source, blocks.ctypes.data, 0, rows, columns, None)
    assert size == blocks.nbytes
    return blocks


def encoded_by_gguf(weights, kind):
    with np.errstate(all="ignore"):
        return quants.quantize(weights, kind)


@pytest.mark.parametrize("judge", [encoded_by_gguf, encoded_by_ggml])
@pytest.mark.parametrize("kind", ENCODERS)
def test_encoder_is_the_reference_to_the_byte(tmp_path, llama, kind, judge):
    run("convert", llama, tmp_path / "out.gguf", "--type", kind)
    wanted_kind = Encoding[kind.upper()]
    found = {t.name: t for t in gguf.GGUFReader(str(tmp_path / "out.gguf")).tensors}
    compared = 0
    for name, weights in TinyLlama(seed=1).tensors.items():
        tensor = found[gguf_name(name)]
        if tensor.tensor_type != wanted_kind:
            # Vectors stay F32; the embedding and the head may be kept finer.
            assert weights.ndim == 1 or name in ("model.embed_tokens.weight", "lm_head.weight"), name
            continue
        weights = in_gguf_order(name, weights)
        wanted = judge(weights, wanted_kind)
        mine = tensor.data.reshape(wanted.shape)
        differs = (mine != wanted).any(axis=1)
        if judge is encoded_by_gguf:
            # Of a row of -0 the two references give scales of different sign; we follow ggml.
            differs &= ~((weights == 0) & np.signbit(weights)).all(axis=1)
        rows = np.flatnonzero(differs)
        assert rows.size == 0, f"{name}: rows {rows[:8]} of {len(wanted)} differ"
        compared += 1
    assert compared >= 7


def finite_halves(rng, shape):
    """Bytes of small finite halves, subnormal ones and both signs included."""
    halves = rng.normal(0, 0.02, shape).astype(np.float16)
    halves[rng.random(shape) < 0.02] = 0
    halves[rng.random(shape) < 0.02] = np.float16(6e-8)
    return halves.view(np.uint8)


# Where the half-precision fields of a block lie, in bytes.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0],
          "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
          "IQ1_S": [0], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0]}


def random_blocks(rng, kind, rows, columns):
    """Valid rows: every code is arbitrary, every scale finite."""
    weights, bytes_per = gguf.GGML_QUANT_SIZES[Encoding[kind]]
    if kind == "F16":
        return finite_halves(rng, (rows, columns))
    if kind == "BF16":
        values = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        return (values.view(np.uint32) >> 16).astype("<u2").view(np.uint8)
    blocks = rng.integers(0, 256, (rows, columns // weights, bytes_per), dtype=np.uint8)
    if kind == "IQ1_M":
        blocks[..., 55] &= 0xBB  # Its half lies in pieces; without this bit of the exponent it is finite.
        return blocks.reshape(rows, -1)
    for offset in HALVES[kind]:
        blocks[..., offset:offset + 2] = finite_halves(rng, (rows, columns // weights, 1))
    return blocks.reshape(rows, -1)


@pytest.mark.parametrize("kind", DECODERS)
def test_decoder_is_the_reference_to_the_bit(tmp_path, kind):
    rng = np.random.default_rng(DECODERS.index(kind))
    model = TinyLlama(seed=6)
    raw = {name: random_blocks(rng, kind, *tensor.shape)
           for name, tensor in model.tensors.items() if tensor.ndim == 2}
    # The file holds GGUF's row order; blocks lie within rows, so they are permuted as rows.
    encoded = {gguf_name(name): (np.ascontiguousarray(in_gguf_order(name, blocks)), Encoding[kind])
               for name, blocks in raw.items()}
    source = model.save_gguf(tmp_path / "in.gguf", encoded)
    run("convert", source, tmp_path / "out", "--type", "f32")
    result = load_file(tmp_path / "out" / "model.safetensors")
    for name, blocks in raw.items():
        wanted = quants.dequantize(blocks, Encoding[kind]).astype(np.float32)
        mine = result[name]
        assert mine.dtype == np.float32 and mine.shape == model.tensors[name].shape
        # -0 and 0 are the same weight, and the reference is not consistent about them.
        wrong = np.argwhere(mine != wanted.reshape(mine.shape))
        assert wrong.size == 0, f"{name}: {len(wrong)} differ, first at {wrong[0]}"


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "q5_0", "iq4_nl"])
def test_encoding_decoded_weights_again_keeps_the_file(tmp_path, llama, kind):
    """Weights that already lie on the grid stay where they are."""
    run("convert", llama, tmp_path / "one.gguf", "--type", kind)
    run("convert", tmp_path / "one.gguf", tmp_path / "copy.gguf", "--type", kind)
    assert (tmp_path / "copy.gguf").read_bytes() == (tmp_path / "one.gguf").read_bytes()
