"""Importance matrices: what we collect is what llama.cpp's matrices multiply, and llama.cpp quantizes with it."""

import ctypes

import gguf
import llama_cpp as api
import numpy as np
import pytest
from llama import Llama
from support import HELD_OUT, run

WINDOW, WINDOWS = 256, 4


class Tensor(ctypes.Structure):
    """The head of ggml's struct ggml_tensor."""


Tensor._fields_ = [
    ("type", ctypes.c_int), ("buffer", ctypes.c_void_p), ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4), ("op", ctypes.c_int), ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32), ("src", ctypes.POINTER(Tensor) * 10),
    ("view_src", ctypes.c_void_p), ("view_offs", ctypes.c_size_t), ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


def text(folder):
    path = folder / "text.txt"
    path.write_bytes(b"".join(p.read_bytes() for p in sorted(HELD_OUT.glob("*.txt")))[:20000])
    return path


def sums(path):
    """Σ x² and counts by tensor, of a GGUF file."""
    tensors = {t.name: t.data.reshape(t.shape[::-1]) for t in gguf.GGUFReader(path).tensors}
    names = [n.removesuffix(".in_sum2") for n in tensors if n.endswith(".in_sum2")]
    return {n: (tensors[n + ".in_sum2"], tensors[n + ".counts"][:, 0]) for n in names}


def observed(model_path, ids):
    """The same by llama.cpp itself: the inputs of its matrix products, seen by its callback."""
    result = {}

    @api.ggml_backend_sched_eval_callback
    def look(address, ask, _):
        tensor = ctypes.cast(address, ctypes.POINTER(Tensor)).contents
        if not tensor.src[0] or not tensor.src[1]:
            return False
        name = tensor.src[0].contents.name.decode()
        if not (name.startswith("blk.") and name.endswith(".weight")):
            return False
        x = tensor.src[1].contents
        if x.type != 0 or x.ne[1] < 16:
            return False
        if not ask:
            count = x.ne[0] * x.ne[1] * x.ne[2] * x.ne[3]
            values = np.ctypeslib.as_array(
                ctypes.cast(x.data, ctypes.POINTER(ctypes.c_float)), (count,)).reshape(-1, x.ne[0])
            squares, tokens = result.get(name, (0, 0))
            result[name] = (
                squares + (values.astype(np.float64) ** 2).sum(0), tokens + len(values))
        return True

    with Llama(model_path, context=WINDOW) as model:
        parameters = api.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = WINDOW
        parameters.cb_eval = look
        api.llama_free(model.context)
        model.context = api.llama_init_from_model(model.model, parameters)
        for start in range(0, len(ids), WINDOW):
            model.logits(ids[start:start + WINDOW], range(WINDOW))
    return result


def test_collects_what_llama_cpp_multiplies(tmp_path, tiny_f16):
    source = text(tmp_path)
    run("detent", "imatrix", tiny_f16, "-o", tmp_path / "ours.gguf", "--calibration", source,
        "--seqlen", WINDOW, "--nsamples", WINDOWS)
    with Llama(tiny_f16, context=WINDOW, vocabulary_only=True) as model:
        ids = model.tokenize(source.read_text(), add_special=False)[:WINDOW * WINDOWS]
        if api.llama_vocab_get_add_bos(model.vocabulary):
            ids[::WINDOW] = [api.llama_vocab_bos(model.vocabulary)] * WINDOWS
    theirs = observed(tiny_f16, ids)
    ours = sums(tmp_path / "ours.gguf")
    assert ours.keys() - theirs.keys() == {"output.weight"}  # theirs only with --process-output
    for name, (squares, tokens) in theirs.items():
        assert ours[name][1].tolist() == [tokens] == [WINDOW * WINDOWS]
        # llama.cpp rounds activations to F16 before each product, and its cache.
        error = np.abs(ours[name][0][0] - squares).sum() / squares.sum()
        assert error < 5e-3, f"{name}: {error:.2e}"


def quantized_by_llama_cpp(source, target, file_type, entries):
    """llama_model_quantize with weights made of entries as llama-quantize makes them."""
    keep, items = [], []
    for name, (squares, counts) in entries.items():
        means = np.where(counts[:, None] > 0, squares / np.maximum(counts, 1)[:, None], 1)
        values = np.ascontiguousarray(means, np.float32).ravel()
        keep.append(values)
        items.append(api.llama_model_imatrix_data(
            name.encode(), values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), values.size))
    items.append(api.llama_model_imatrix_data(None, None, 0))
    array = (api.llama_model_imatrix_data * len(items))(*items)
    parameters = api.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = file_type, 2
    parameters.imatrix = ctypes.cast(array, type(parameters.imatrix))
    return api.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(parameters))


def test_llama_cpp_quantizes_with_it(tmp_path, tiny_f16):
    """IQ2_XXS needs statistics of every matrix: llama.cpp refuses to make one without."""
    source = text(tmp_path)
    run("detent", "imatrix", tiny_f16, "-o", tmp_path / "ours.gguf", "--calibration", source,
        "--seqlen", WINDOW)
    entries = sums(tmp_path / "ours.gguf")
    iq2_xxs = 19
    assert quantized_by_llama_cpp(tiny_f16, tmp_path / "out.gguf", iq2_xxs, entries) == 0
    del entries["blk.1.attn_q.weight"]
    assert quantized_by_llama_cpp(tiny_f16, tmp_path / "out.gguf", iq2_xxs, entries) != 0


@pytest.mark.parametrize("name", ["all.gguf", "all.dat"])
def test_halves_merge_to_the_whole(tmp_path, tiny_f16, name):
    source = text(tmp_path)
    for options, out in [((), "all.gguf"), (("--weighting", "attention"), "weighted.gguf")]:
        run("detent", "imatrix", tiny_f16, "-o", tmp_path / out, "--calibration", source,
            "--seqlen", WINDOW, "--nsamples", WINDOWS, *options)
    run("detent", "imatrix", "merge", tmp_path / "all.gguf", tmp_path / "all.gguf", "-o",
        tmp_path / f"twice-{name}")
    run("detent", "imatrix", "merge", tmp_path / f"twice-{name}", "-o", tmp_path / "again.gguf")
    once, twice = sums(tmp_path / "all.gguf"), sums(tmp_path / "again.gguf")
    weighted = sums(tmp_path / "weighted.gguf")
    for entry, (squares, counts) in once.items():
        # The older form counts windows and does not say their length: it is read as 512.
        factor = 2 if name.endswith(".gguf") else 2 * 512 / WINDOW
        assert np.allclose(twice[entry][0], factor * squares, rtol=1e-6)
        assert np.array_equal(twice[entry][1], factor * counts)
        assert np.array_equal(weighted[entry][1], counts)
        # What the output matrix reads goes to no attention: every token counts alike.
        assert np.array_equal(weighted[entry][0], squares) == (entry == "output.weight")
