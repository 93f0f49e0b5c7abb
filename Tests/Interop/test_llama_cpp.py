"""llama.cpp loads our files, splits text as we do and agrees on the perplexity."""

import json

import pytest
from llama import Llama
from support import HELD_OUT, SHARED, TINY, needs_shared, run

# llama.cpp rounds activations to 8 bits wherever weights are quantized and keeps its KV cache in
# F16; we compute in F32. The difference is noise around the same file, far from a layout error.
AGREEMENT = 0.01
WINDOWS = 8


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The bundled held-out text as one file."""
    path = tmp_path_factory.mktemp("text") / "held-out.txt"
    path.write_bytes(b"".join(f.read_bytes() for f in sorted(HELD_OUT.glob("*.txt"))))
    return path


def agree(model, text, folder):
    run("evalppl", model, "--text", text, "--chunks", WINDOWS, "--json", folder / "ours.json")
    ours = json.loads((folder / "ours.json").read_text())
    with Llama(model) as llama:
        theirs, scored = llama.perplexity(text.read_text(encoding="utf-8"), WINDOWS)
    assert ours["tokens_scored"] == scored
    assert ours["perplexity"] == pytest.approx(theirs, rel=AGREEMENT)
    return ours


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0", "q5_0", "q4_1", "q5_1", "iq4_nl"])
def test_perplexity_agrees(tmp_path, text, kind):
    model = tmp_path / f"{kind}.gguf"
    run("convert", TINY, model, "--type", kind)
    ours = agree(model, text, tmp_path)
    assert ours["model"]["bytes"] == model.stat().st_size


@pytest.mark.parametrize("method, bits", [("rtn", 4), ("gptq", 4), ("gptq", 5), ("rtn", 8)])
def test_quantized_models_load_and_agree(tmp_path, text, method, bits):
    model = tmp_path / "out.gguf"
    samples = ("--nsamples", 8) if method == "gptq" else ()
    run("quantize", "--method", method, "--bits", bits, *samples, TINY, model)
    agree(model, text, tmp_path)


def test_gguf_and_folder_have_the_same_perplexity(tmp_path, text):
    """BF16 in either container is the same weights. GGUF's rotary order changes the order in which a
    head's products are summed, and so the last bits of its floats; nothing more."""
    model = tmp_path / "bf16.gguf"
    run("convert", TINY, model, "--type", "bf16")
    figures = []
    for name, source in [("a", model), ("b", TINY)]:
        run("evalppl", source, "--text", text, "--chunks", 2, "--json", tmp_path / f"{name}.json")
        figures.append(json.loads((tmp_path / f"{name}.json").read_text())["perplexity"])
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_tokenization_is_llama_cpps(tmp_path, text, tiny_f16):
    result = run("detent", "tokenize", tiny_f16, "--file", text, "--json")
    plain = run("detent", "tokenize", tiny_f16, "--file", text, "--json", "--no-special")
    with Llama(tiny_f16) as llama:
        words = text.read_text(encoding="utf-8")
        assert json.loads(result.stdout)["ids"] == llama.tokenize(words)
        assert json.loads(plain.stdout)["ids"] == llama.tokenize(words, add_special=False)


@needs_shared
def test_tokenization_of_wikipedia_is_llama_cpps(tmp_path, tiny_f16):
    file = SHARED / "data" / "wiki-a.txt"
    result = run("detent", "tokenize", tiny_f16, "--file", file, "--json")
    with Llama(tiny_f16) as llama:
        assert json.loads(result.stdout)["ids"] == llama.tokenize(file.read_text(encoding="utf-8"))
