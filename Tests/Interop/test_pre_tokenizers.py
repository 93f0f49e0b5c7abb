"""Every pre-tokenizer name of GGUF cuts text as llama.cpp cuts it, and is written for what it means."""

import json
import random

import gguf
import pytest
from llama import Llama
from support import ROOT, run
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

NAMES = """
    default llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano smaug-bpe dbrx
    chatglm-bpe glm4 glm5 gpt-2 phi-2 mpt olmo jais trillion granite-docling jina-es jina-de jina-v2-es
    jina-v2-de gigachat a.x-4.0 mellum exaone4 modern-bert jina-v1-en jina-v2-code roberta-bpe smollm
    starcoder refact command-r codeshell exaone minerva-7b mellum2 qwen2 deepseek-r1-qwen kormo f2llmv2
    megrez stablelm2 hunyuan solar-open grok-2 qwen35 jais-2 minicpm5 seed-coder ufakzeka laguna bailingmoe
    bailingmoe2 llada-moe exaone-moe deepseek-v3 hunyuan-dense joyai-llm hy_v4 spark2_5 deepseek-coder
    deepseek-llm tekken gpt-4o llama4 kanana2 talkie minimax-m2 granite-embed-multi-97m tiny_aya cohere2moe
    youtu kimi-k2 falcon bloom poro-chat gpt3-finnish viking chameleon superbpe afmoe
""".split()

WORDS = [
    "the", "The", "THE", "école", "École", "ÉCOLE", "naïve", "don't", "DON'T", "we'll", "I'Ve", "'s", "'",
    "ΑΒΓαβγ", "ДаНет", "ǅ", "ʰ", "漢字", "かな", "カナ", "ー", "々", "〇", "한글", "ㄱㄴ", "ㄅㄆ", "हिन्दी", "ภาษา",
    "ກວ", "ខ្មែរ", "မြန်", "العربية", "עברית", "e\u0301", "a\u0308\u0323", "\u0301", "1", "12", "123", "1234",
    "12345", "1234567", "٣٤٥", "²", "¾", "Ⅷ", "१२३४", "x1", "1x", "$", "+", "<=>", "^", "`", "|", "~", "!",
    "?", "...", "(", "[]", "{}", '"', "#", "%", "&", "*", "-", "--", "/", "//", "\\", "@", "_", "“", "”", "…",
    "—", "。", "，", "、", "！", "～", "€", "©", "→", "∑", "🦙", "👩‍👩‍👧", "🏳️‍🌈", "\u200d", "\u00ad", "\x7f",
    "<sentinel:12>", "IMGIMGABZ", "豈", "龥", "\u0e3f",
]
SPACES = [" "] * 5 + [
    "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", " \n", "\n ", "\u00a0", "\u3000", "\u2003", "\u2028", "\x0b",
    "\x0c", "\x85", "    ",
]
SEPARATOR = "<|separator|>"


def texts(count, seed):
    generator = random.Random(seed)

    def part():
        return generator.choice(WORDS if generator.random() < 0.62 else SPACES)

    return ["".join(part() for _ in range(generator.randint(1, 14))) for _ in range(count)]


@pytest.fixture(scope="module")
def vocabulary():
    """Tokens and merges that cross every place where a pre-tokenizer might cut."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.train_from_iterator(
        texts(4000, seed=1),
        trainers.BpeTrainer(
            vocab_size=8000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False, max_token_length=24))
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [" ".join(pair) for pair in model["merges"]]


def save(path, name, vocabulary):
    tokens, merges = vocabulary
    writer = gguf.GGUFWriter(path, "llama")
    for key in ("context_length", "embedding_length", "feed_forward_length", "block_count"):
        writer.add_uint32(f"llama.{key}", 64)
    writer.add_uint32("llama.attention.head_count", 1)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens + [SEPARATOR])
    writer.add_token_types([1] * len(tokens) + [3])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(len(tokens))
    writer.add_eos_token_id(len(tokens))
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def split(ids, separator):
    parts = [[]]
    for token in ids:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_llama_cpp_reads_it(name, vocabulary, tmp_path):
    path, file, words = tmp_path / "vocabulary.gguf", tmp_path / "text.txt", texts(600, seed=2)
    save(path, name, vocabulary)
    file.write_bytes(SEPARATOR.join(words).encode())
    result = run("detent", "tokenize", path, "--file", file, "--json", "--no-special")
    ours = split(json.loads(result.stdout)["ids"], len(vocabulary[0]))
    with Llama(path, vocabulary_only=True) as llama:
        theirs = llama.tokenize(SEPARATOR.join(words), add_special=False, parse_special=True)
    for text, found, expected in zip(words, ours, split(theirs, len(vocabulary[0])), strict=True):
        assert found == expected, repr(text)


def test_the_list_of_names_is_ours():
    source = ROOT / "Sources" / "Tokenization" / "GGUFPreTokenizer.swift"
    text = source.read_text(encoding="utf-8")
    assert [name for name in NAMES if f'"{name}"' not in text] == []
