"""Reference encodings by the tokenizers library, through `detent tokenize` as a user types it."""
import json

import pytest

from support import SHARED, needs_shared, run

FOLDERS = [
    "bpe-digits", "bpe-gpt2", "bpe-gpt2-prefix-space", "bpe-llama3", "bpe-qwen2-nfc",
    "spm-bpe-byte-fallback", "unigram-nfkc", "wordpiece-bert-uncased",
]


@needs_shared
@pytest.mark.parametrize("name", FOLDERS)
def test_every_case_has_the_reference_ids(name, tmp_path):
    folder = SHARED / "tokenizers" / name
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    text = tmp_path / "text.txt"
    for case in cases:
        text.write_bytes(case["text"].encode("utf-8"))
        for flags, key in (([], "ids"), (["--no-special"], "ids_plain")):
            printed = run("detent", "tokenize", folder, "--file", text, "--json", *flags).stdout
            assert json.loads(printed)["ids"] == case[key], case["text"]
