"""The same input and recipe give the same bytes: on every run, with any number of threads."""

import hashlib
import json

import pytest
from support import HELD_OUT, TINY, run

RECIPES = {
    "rtn-q4_0": ("quantize", "--method", "rtn", "--bits", 4),
    "rtn-iq4_nl": ("quantize", "--method", "rtn", "--type", "iq4_nl"),
    "gptq-q4_0": ("quantize", "--method", "gptq", "--bits", 4, "--nsamples", 12),
    "gptq-q5_0": ("quantize", "--method", "gptq", "--bits", 5, "--nsamples", 5),
    "convert-f16": ("convert", "--type", "f16"),
    "convert-q8_0": ("convert", "--type", "q8_0"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_bytes_do_not_depend_on_the_run(tmp_path, name):
    digests = {}
    for label, threads in [("1 thread", 1), ("2 threads", 2), ("2 again", 2), ("3 threads", 3)]:
        out = tmp_path / f"{label.replace(' ', '-')}.gguf"
        command, *flags = RECIPES[name]
        run(command, *flags, "--threads", threads, TINY, out)
        digests[label] = hashlib.sha256(out.read_bytes()).hexdigest()
    assert len(set(digests.values())) == 1, digests


def test_figures_do_not_depend_on_the_run(tmp_path, tiny_f16):
    reports = []
    for label, threads in [("a", 1), ("b", 2), ("c", 2)]:
        out = tmp_path / f"{label}.json"
        run("evalppl", tiny_f16, "--text", HELD_OUT / "prose.txt", "--chunks", 2,
            "--threads", threads, "--json", out)
        reports.append(json.loads(out.read_text()))
    assert len({r["perplexity"] for r in reports}) == 1
    assert len({r["perplexity_stderr"] for r in reports}) == 1
