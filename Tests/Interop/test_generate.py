"""Generated text: the tokens of transformers, drafts that change nothing, ends that leave things whole."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from models import TinyLlama
from support import BAD_INPUT, INTERRUPTED, ROOT, SHARED, TINY, USAGE, argv, needs_shared, run

sys.path.insert(0, str(ROOT / "Tests" / "JinjaTests"))
import render  # noqa: E402

# A folder or GGUF of SmolLM2-135M-Instruct in F16, which is too large to come along.
SMOLLM2 = os.environ.get("DETENT_SMOLLM2")


def generate(model, prompt, *flags):
    """The JSON document about a text."""
    return json.loads(run("detent", "generate", model, "-p", prompt, "-q", "--json", *flags).stdout)


@needs_shared
@pytest.mark.skipif(not SMOLLM2, reason="DETENT_SMOLLM2 names no model")
@pytest.mark.parametrize("place", range(6))
def test_greedy_tokens_are_those_of_transformers(place):
    case = json.loads((SHARED / "reference" / "greedy.json").read_text(encoding="utf-8"))[place]
    # The reference was made without an attention mask, and transformers then takes every <|im_end|> of a
    # prompt for padding, that being this model's padding token: it was never read.
    prompt = case["prompt"].replace("<|im_end|>", "")
    result = generate(SMOLLM2, prompt, "-n", 64, "--ignore-eos", "--special")
    assert result["prompt_ids"] == [token for token in case["prompt_ids"] if token != 2]
    assert result["ids"] == case["ids"]
    assert result["text"] == case["text"]


@pytest.fixture(scope="module")
def draft(folder, llama):
    """The seeded model with most of its precision gone."""
    path = folder / "draft-q4_0.gguf"
    run("convert", llama, path, "--type", "q4_0")
    return path


def test_a_draft_changes_the_steps_and_not_the_tokens(llama, draft):
    for prompt in ["and then the", "in the rain"]:
        plain = generate(llama, prompt, "-n", 48, "--ignore-eos")
        drafted = generate(llama, prompt, "-n", 48, "--ignore-eos", "--draft", draft)
        assert drafted["ids"] == plain["ids"]
        assert drafted["steps"] + drafted["accepted"] >= 47
        assert drafted["steps"] < plain["steps"]


def test_a_draft_with_another_vocabulary_is_refused(llama):
    words = run("detent", "generate", llama, "-p", "a", "--draft", TINY, status=USAGE).stderr.decode()
    assert "tokens" in words and "vocabulary" in words


def test_text_does_not_depend_on_threads(llama):
    flags = ("-n", 40, "--ignore-eos", "--temperature", 1, "--top-p", 0.95, "--seed", 5)
    texts = {tuple(generate(llama, "and", *flags, "--threads", n)["ids"]) for n in (1, 2, 3)}
    assert len(texts) == 1
    assert tuple(generate(llama, "and", *flags, "--seed", 6)["ids"]) not in texts


def chat_folder(path, template):
    TinyLlama(seed=1).save_hugging_face(path)
    settings = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["chat_template"] = template
    (path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name", [p.name for p in sorted((ROOT / "Tests/JinjaTests/Templates").glob("*.jinja"))])
def test_chat_prompts_are_those_of_jinja(tmp_path, name):
    source = (ROOT / "Tests/JinjaTests/Templates" / name).read_text(encoding="utf-8")
    folder = chat_folder(tmp_path / "model", source)
    gguf = tmp_path / "model.gguf"
    run("convert", folder, gguf)
    user = {"role": "user", "content": "Grüße, 世界 🦊"}
    system = {"role": "system", "content": "Be brief."}
    for messages, flags in [([user], ()), ([system, user], ("--system", system["content"]))]:
        expected = render.render(source, {
            "messages": messages, "add_generation_prompt": True, "tools": None, "documents": None,
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"})
        if name == "llama3.jinja":
            continue  # states today's date
        for model in (folder, gguf):
            refused = "raised" in expected
            result = run(
                "detent", "generate", model, "--chat", "--show-prompt", "-p", user["content"],
                *flags, status=BAD_INPUT if refused else 0)
            if refused:
                assert expected["raised"] in result.stderr.decode()
            else:
                assert result.stdout.decode() == expected["text"]


def test_templates_beyond_us_are_named(tmp_path):
    folder = chat_folder(tmp_path / "model", "a\n{% include 'other' %}")
    words = run(
        "detent", "generate", folder, "--chat", "-p", "x", status=BAD_INPUT).stderr.decode()
    assert words == "error: chat template, line 2: statement 'include' is not supported\n"


def interrupted_text(how):
    """What a text interrupted after its first byte leaves: status, standard output, standard error."""
    process = subprocess.Popen(
        argv("detent", "generate", TINY, "-p", "In the beginning", "-n", 450, "--ignore-eos"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        start = process.stdout.read(1)
        process.send_signal(how)
        text, words = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode, start + text, words.decode()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_text_ends_its_line(how):
    # On a busy machine the text may be complete before the signal comes; that says nothing.
    runs = (interrupted_text(how) for _ in range(8))
    status, text, words = next((run for run in runs if run[0] != 0), (0, b"", "never interrupted"))
    assert status == INTERRUPTED, words
    assert text.endswith(b"\n")
    assert words.splitlines()[-1] == "interrupted"
    assert "tokens/s" in words


def test_expected_renderings_are_those_of_the_installed_jinja():
    recorded = json.loads((Path(render.__file__).parent / "Expected.json").read_text(encoding="utf-8"))
    assert render.expected() == recorded
