"""Every family: the logits of transformers from the folder, through GGUF and back again; llama.cpp's too."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from llama import Llama, perplexity
from safetensors.numpy import load_file
from support import SHARED, needs_shared, run

CHECKPOINTS = SHARED / "arch"
NAMES = sorted(p.name for p in CHECKPOINTS.iterdir()) if CHECKPOINTS.is_dir() else ["none"]

# The largest difference to the reference, in standard deviations of the reference.
LIMIT = 1e-4
# llama.cpp looks GELU up in a table of F16, which costs some thousandths of the spread.
LLAMA_LIMIT = 0.01
PERPLEXITY_LIMIT = 0.005


@dataclass
class Conversions:
    """A checkpoint, the GGUF made of it and the folder made of that."""

    name: str
    folder: Path
    gguf: Path
    back: Path

    @property
    def reference(self):
        return self.folder / "reference.safetensors"

    @property
    def config(self):
        return json.loads((self.folder / "config.json").read_text())

    @property
    def visible_to_llama_cpp(self):
        """How many tokens llama.cpp treats alike: its `llama` architecture knows no sliding window."""
        if self.config["model_type"] in ("mistral", "mixtral"):
            return self.config["sliding_window"]
        return None


pytestmark = needs_shared


@pytest.fixture(scope="module", params=NAMES)
def model(request, tmp_path_factory):
    scratch = tmp_path_factory.mktemp(request.param)
    made = Conversions(
        request.param, CHECKPOINTS / request.param, scratch / "f32.gguf", scratch / "back")
    run("convert", made.folder, made.gguf, "--type", "f32")
    run("convert", made.gguf, made.back)
    return made


@pytest.mark.parametrize("stage", ["folder", "gguf", "back"])
def test_logits_are_those_of_transformers(model, tmp_path, stage):
    output = tmp_path / "logits.safetensors"
    run("detent", "logits", getattr(model, stage), "--input-ids", model.reference, "--output", output)
    logits, wanted = load_file(output)["logits"], load_file(model.reference)["logits"]
    assert logits.shape == wanted.shape
    assert np.abs(logits - wanted).max() <= LIMIT * wanted.std()


def test_llama_cpp_agrees(model):
    reference = load_file(model.reference)
    ids, wanted = reference["input_ids"], reference["logits"]
    with Llama(model.gguf, context=ids.shape[1], exact_cache=True) as llama:
        logits = np.stack([llama.logits(row.tolist(), range(len(row))) for row in ids])
    seen = slice(model.visible_to_llama_cpp)
    ids, logits, wanted = ids[:, seen], logits[:, seen], wanted[:, seen]
    assert np.abs(logits - wanted).max() <= LLAMA_LIMIT * wanted.std()
    assert perplexity(logits, ids) == pytest.approx(perplexity(wanted, ids), rel=PERPLEXITY_LIMIT)
