"""Files go both ways between us and the `gguf` package: keys, values and tensors, bit for bit."""

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Encoding
from gguf import GGUFValueType as Kind
from models import TOKENS, TinyLlama, gguf_name, in_gguf_order
from support import TINY, run


def metadata(path):
    """Key → (types, raw bytes of its parts), in the file's order, without the counts."""
    reader = gguf.GGUFReader(str(path))
    return {
        key: ([kind.name for kind in field.types], [part.tobytes() for part in field.parts])
        for key, field in reader.fields.items() if not key.startswith("GGUF.")
    }


def tensors(path):
    reader = gguf.GGUFReader(str(path))
    return {t.name: (t.tensor_type, list(map(int, t.shape)), t.data.tobytes()) for t in reader.tensors}


def values(path):
    return {k: f.contents() for k, f in gguf.GGUFReader(str(path)).fields.items()}


def every_value(writer):
    """Adds one key of each type, at the extremes, and an array of each."""
    extremes = {
        Kind.UINT8: [0, 255], Kind.INT8: [-128, 127], Kind.UINT16: [0, 65535],
        Kind.INT16: [-32768, 32767], Kind.UINT32: [0, 2**32 - 1], Kind.INT32: [-2**31, 2**31 - 1],
        Kind.UINT64: [0, 2**64 - 1], Kind.INT64: [-2**63, 2**63 - 1],
        Kind.FLOAT32: [float("-inf"), 1.401298464324817e-45, -0.0, float("nan")],
        Kind.FLOAT64: [float("inf"), 5e-324, -0.0, 0.1], Kind.BOOL: [True, False],
        Kind.STRING: ["", "ü\u0000\n\"", "日本語 " * 50],
    }
    for kind, items in extremes.items():
        for index, item in enumerate(items):
            writer.add_key_value(f"test.{kind.name.lower()}.{index}", item, kind)
        writer.add_key_value(f"test.{kind.name.lower()}.array", items, Kind.ARRAY, kind)
    writer.add_key_value("test.long", list(range(10000)), Kind.ARRAY, Kind.INT16)
    writer.add_key_value("ключ.日本", "a key beyond ASCII", Kind.STRING)


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "rich.gguf"
    return TinyLlama(seed=4).save_gguf(path, decorate=every_value)


def test_every_metadata_type_passes_through(rich, tmp_path):
    run("convert", rich, tmp_path / "out.gguf")
    before, after = metadata(rich), metadata(tmp_path / "out.gguf")
    assert list(after) == list(before)
    assert after == before
    assert tensors(tmp_path / "out.gguf") == tensors(rich)


def test_a_copy_of_a_copy_is_the_same_file(rich, tmp_path):
    run("convert", rich, tmp_path / "one.gguf")
    run("convert", tmp_path / "one.gguf", tmp_path / "two.gguf")
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "two.gguf").read_bytes()


@pytest.mark.parametrize("alignment", [8, 64, 4096])
def test_alignment_is_kept(tmp_path, alignment):
    source = TinyLlama(seed=4).save_gguf(
        tmp_path / "in.gguf", decorate=lambda writer: writer.add_custom_alignment(alignment))
    run("convert", source, tmp_path / "out.gguf")
    reader = gguf.GGUFReader(str(tmp_path / "out.gguf"))
    assert reader.alignment == alignment
    assert all(t.data_offset % alignment == 0 for t in reader.tensors)
    assert tensors(tmp_path / "out.gguf") == tensors(source)


def test_blocks_of_every_type_pass_through(tmp_path):
    """Encodings that we cannot decode are still copied."""
    rng = np.random.default_rng(5)
    model, encoded = TinyLlama(seed=4), {}
    names = [n for n, t in model.tensors.items() if t.ndim == 2]
    kinds = ["Q4_0", "Q5_K", "IQ4_NL", "Q2_K", "BF16", "Q6_K", "Q3_K", "F16", "TQ1_0"]
    for name, kind in zip(names, kinds, strict=True):
        weights, bytes_per = gguf.GGML_QUANT_SIZES[Encoding[kind]]
        rows, columns = model.tensors[name].shape
        raw = rng.integers(0, 256, (rows, columns // weights * bytes_per), dtype=np.uint8)
        encoded[gguf_name(name)] = (raw, Encoding[kind])
    source = model.save_gguf(tmp_path / "in.gguf", encoded)
    run("convert", source, tmp_path / "out.gguf")
    assert tensors(tmp_path / "out.gguf") == tensors(source)


def test_our_gguf_says_what_the_folder_said(tiny_f16):
    said = values(tiny_f16)
    wanted = {
        "general.architecture": "llama", "general.file_type": 1, "llama.block_count": 4,
        "llama.context_length": 1024, "llama.embedding_length": 256,
        "llama.feed_forward_length": 768, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.rope.freq_base": 10000.0,
        "llama.rope.dimension_count": 64, "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": True, "general.alignment": 32,
    }
    # The alignment of 32 is the format's default and need not be written.
    assert {k: said.get(k) for k in wanted} | {"general.alignment": 32} == wanted
    assert said["llama.attention.layer_norm_rms_epsilon"] == np.float32(1e-5)
    assert len(said["tokenizer.ggml.tokens"]) == len(said["tokenizer.ggml.token_type"]) == 2048
    assert said["tokenizer.ggml.token_type"][0] == 3


def test_our_gguf_has_llama_cpps_tensors(tmp_path, llama):
    run("convert", llama, tmp_path / "out.gguf", "--type", "f32")
    reader = gguf.GGUFReader(str(tmp_path / "out.gguf"))
    found = {t.name: t for t in reader.tensors}
    source = TinyLlama(seed=1).tensors
    assert sorted(found) == sorted(map(gguf_name, source))
    for name, weights in source.items():
        tensor = found[gguf_name(name)]
        assert tensor.tensor_type == Encoding.F32
        assert list(map(int, tensor.shape)) == list(weights.shape)[::-1]
        assert tensor.data.tobytes() == in_gguf_order(name, weights).tobytes(), name
    assert reader.fields["tokenizer.ggml.tokens"].contents() == TOKENS


def test_vectors_stay_f32_beside_f16_matrices(tiny_f16):
    kinds = {t.name: (len(t.shape), t.tensor_type) for t in gguf.GGUFReader(str(tiny_f16)).tensors}
    assert kinds["token_embd.weight"] == (2, Encoding.F16) and "output.weight" not in kinds
    assert {kind for count, kind in kinds.values() if count == 1} == {Encoding.F32}
    assert {kind for count, kind in kinds.values() if count == 2} == {Encoding.F16}


def test_bundled_model_keeps_its_weights(tiny_f16):
    """BF16 → F16 rounds once; the `gguf` package reads what numpy makes of the same bits."""
    from test_safetensors import entries
    found = {t.name: t for t in gguf.GGUFReader(str(tiny_f16)).tensors}
    for name, (_, shape, raw) in entries(TINY / "model.safetensors")[0].items():
        weights = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        weights = in_gguf_order(name, weights, 4, 2)
        wanted = weights if weights.ndim == 1 else weights.astype(np.float16)
        assert found[gguf_name(name)].data.tobytes() == wanted.tobytes(), name
