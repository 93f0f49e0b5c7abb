"""Makes the vectors of this folder with the official packages; README.md says what they are.

    pip install gguf==0.19.0 llama-cpp-python==0.3.36
    python make_vectors.py
"""

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

FOLDER = Path(__file__).parent
COLUMNS = 256

# Where the halves of a block lie: bytes that random vectors must keep from being infinite or NaN.
HALVES = {
    Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,),
    Type.IQ4_XS: (0,), Type.TQ1_0: (52,), Type.TQ2_0: (64,), Type.MXFP4: (),
    Type.IQ1_S: (0,), Type.IQ1_M: (54,), Type.IQ2_XXS: (0,), Type.IQ2_XS: (0,), Type.IQ2_S: (0,),
    Type.IQ3_XXS: (0,), Type.IQ3_S: (0,), Type.NVFP4: (),
}
# Encodings that we write as ggml's reference functions do, edge cases included.
REFERENCED = (Type.TQ1_0, Type.TQ2_0, Type.MXFP4, Type.NVFP4)
# ggml encodes none of these without importance, or only some.
CODEBOOKS = (Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ3_XXS, Type.IQ3_S)

ggml = ctypes.CDLL(str(next(Path(llama_cpp.__file__).parent.glob("lib/libggml-base.so"))))


def weights(rng: np.random.Generator) -> np.ndarray:
    """Four rows: ordinary weights, ones with outliers, the edge cases, coarse ones that make ties."""
    rows = rng.standard_normal((4, COLUMNS)).astype(np.float32) * np.float32(0.05)
    rows[1, ::37] *= 40
    edges = rows[2].reshape(8, 32)
    edges[0] = 0  # no scale
    edges[1] = 0.75  # no range
    edges[2, :] = np.where(np.arange(32) % 2, 1.5, -1.5)  # two extremes of one magnitude
    edges[3] *= 1e-5  # scales are subnormal halves
    edges[4] = np.abs(edges[4]) + 1  # far from zero
    edges[5] *= 1e5  # large
    edges[6] = -np.abs(edges[6])  # one sign
    edges[7] = 0
    edges[7, 5] = -3  # one weight alone
    rows[3] = np.round(rows[3] * 40) / 8
    return rows


def ggml_reference(function: str, rows: np.ndarray, type: Type) -> np.ndarray:
    """Encodes with one of ggml's reference functions: `void f(const float *, void *, int64_t)`."""
    weights_per_block, bytes_per_block = GGML_QUANT_SIZES[type]
    encoded = np.zeros(rows.size // weights_per_block * bytes_per_block, np.uint8)
    encode = getattr(ggml, function)
    encode.restype = None
    encode.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    encode(rows.ctypes.data, encoded.ctypes.data, rows.size)
    return encoded.reshape(rows.shape[0], -1)


def random_blocks(rng: np.random.Generator, type: Type) -> np.ndarray:
    """A row of blocks of every bit pattern, but with finite scales."""
    _, bytes_per_block = GGML_QUANT_SIZES[type]
    blocks = rng.integers(0, 256, (4, bytes_per_block), np.uint8)
    for offset in HALVES[type]:
        blocks[:, offset + 1] &= 0xBB  # clears a bit of the exponent
    return blocks.reshape(4, -1) if GGML_QUANT_SIZES[type][0] == COLUMNS else blocks


def save(name: str, array: np.ndarray) -> None:
    (FOLDER / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes())


def main() -> None:
    rng = np.random.default_rng(20)
    rows = weights(rng)
    save("weights", rows)
    encoded = {type: quantize(rows, type)
               for type in (Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0)}
    encoded[Type.F16] = rows.astype(np.float16).view(np.uint8)
    encoded[Type.IQ4_NL] = blocks = ggml_reference("quantize_row_iq4_nl_ref", rows, Type.IQ4_NL)
    # ggml leaves the codes of a block of zeros undefined; ours are those of the level nearest to zero.
    blocks = blocks.reshape(-1, 18)
    blocks[(blocks[:, :2] == 0).all(axis=1), 2:] = 0x88
    references = {
        Type.Q2_K: "quantize_row_q2_K_ref", Type.Q3_K: "quantize_row_q3_K_ref",
        Type.Q4_K: "quantize_row_q4_K_ref", Type.Q5_K: "quantize_row_q5_K_ref",
        Type.Q6_K: "quantize_row_q6_K_ref", Type.IQ4_XS: "quantize_row_iq4_xs_ref",
        Type.TQ1_0: "quantize_row_tq1_0_ref", Type.TQ2_0: "quantize_row_tq2_0_ref",
        Type.MXFP4: "quantize_row_mxfp4_ref",
    }
    for type, function in references.items():
        encoded[type] = np.concatenate([
            ggml_reference(function, rows if type in REFERENCED else rows[:2], type).reshape(-1),
            random_blocks(rng, type).reshape(-1)])
    for type in CODEBOOKS:
        encoded[type] = random_blocks(rng, type)
    encoded[Type.NVFP4] = np.concatenate([
        ggml_reference("quantize_row_nvfp4_ref", rows, Type.NVFP4).reshape(-1),
        random_blocks(rng, Type.NVFP4).reshape(-1)])
    for type, blocks in encoded.items():
        blocks = np.ascontiguousarray(blocks).reshape(-1)
        save(f"{type.name}.encoded", blocks)
        save(f"{type.name}.decoded", dequantize(blocks, type).astype(np.float32))


if __name__ == "__main__":
    main()
