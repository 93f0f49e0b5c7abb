"""Reports say what llama.cpp's logits say, JUnit is XML, and no evaluation that failed ends with 0."""

import json
import struct
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from llama import Llama
from models import TinyLlama
from support import BAD_INPUT, FAILED, HELD_OUT, IO, TINY, USAGE, run

# Both engines multiply these weights in F32 or, for F16, round activations to F16 (llama.cpp): 2⁻¹¹ of an
# activation, which moves a divergence of 0.05 nats by less than this.
AGREEMENT = 2e-4
WINDOWS = 4


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "held-out.txt"
    path.write_bytes(b"".join(f.read_bytes() for f in sorted(HELD_OUT.glob("*.txt"))))
    return path


def log_probabilities(path, text, size=512):
    """llama.cpp's, of the scored positions of the first windows; the tokens that came; the text's tokens."""
    rows, wanted = [], []
    with Llama(path, context=size, exact_cache=True) as llama:
        ids = llama.tokenize(text.read_text(encoding="utf-8"))[:WINDOWS * size]
        for start in range(0, WINDOWS * size, size):
            # The bundled model's windows begin with BOS.
            window = ids[:1] + ids[start + 1:start + size]
            logits = llama.logits(window, range(size // 2, size - 1)).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            rows.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
            wanted += window[size // 2 + 1:]
    return np.concatenate(rows), np.array(wanted), np.array(ids).reshape(WINDOWS, size)


def test_figures_of_a_pair_are_those_of_llama_cpps_logits(tmp_path, text, pair):
    reference, model = pair
    ours = compare(model, reference, text, tmp_path / "ours.json")
    p, wanted, _ = log_probabilities(reference, text)
    q, _, _ = log_probabilities(model, text)
    divergence = (np.exp(p) * (p - q)).sum(axis=1)
    rows = np.arange(len(wanted))
    change = np.exp(q[rows, wanted]) - np.exp(p[rows, wanted])
    assert ours["tokens_scored"] == len(wanted)
    expected = {
        "mean": divergence.mean(), "stderr": divergence.std() / np.sqrt(len(wanted) - 1),
        "median": np.median(divergence), "p90": np.quantile(divergence, 0.9),
        "p99": np.quantile(divergence, 0.99), "p99.9": np.quantile(divergence, 0.999),
        "max": divergence.max()}
    assert expected["mean"] > 0.02, "the pair does not differ enough to tell"
    for name, value in expected.items():
        scale = 1 if name in ("mean", "stderr", "median") else 20
        assert ours["kl_divergence"][name] == pytest.approx(value, abs=scale * AGREEMENT), name
    assert ours["same_top1"] == pytest.approx((p.argmax(1) == q.argmax(1)).mean(), abs=2 / len(rows))
    assert ours["rms_delta_p"] == pytest.approx(np.sqrt((change**2).mean()), abs=AGREEMENT)
    ratio = np.exp((p[rows, wanted] - q[rows, wanted]).mean())
    assert ours["perplexity_ratio"] == pytest.approx(ratio, rel=AGREEMENT)


def read_dump(path):
    """llama.cpp's file by its layout: tokens (windows, ctx), log-probabilities (rows, vocabulary)."""
    data = path.read_bytes()
    assert data[:8] == b"_logits_"
    context, vocabulary, windows = struct.unpack_from("<iii", data, 8)
    tokens = np.frombuffer(data, "<i4", windows * context, 20).reshape(windows, context)
    numbers = 2 * ((vocabulary + 1) // 2) + 4
    rows = np.frombuffer(data, "<u2", offset=20 + tokens.nbytes).reshape(-1, numbers)
    assert len(rows) == windows * (context - 1 - context // 2)
    scale, minimum = np.ascontiguousarray(rows[:, :4]).view("<f4").astype(np.float64).T
    return tokens, scale[:, None] * rows[:, 4:4 + vocabulary] + minimum[:, None]


def dump(tokens, log_probabilities):
    """Such a file, as llama-perplexity fills it."""
    header = struct.pack("<8siii", b"_logits_", tokens.shape[1], log_probabilities.shape[1], len(tokens))
    minimum = np.maximum(log_probabilities.min(1), log_probabilities.max(1) - 16).astype("<f4")
    scale = ((log_probabilities.max(1) - minimum) / 65535).astype("<f4")
    codes = np.rint((log_probabilities - minimum[:, None]) / scale[:, None]).clip(0, 65535).astype("<u2")
    codes = np.pad(codes, ((0, 0), (0, codes.shape[1] % 2)))
    head = np.stack([scale, minimum], axis=1).view("<u2")
    return header + tokens.astype("<i4").tobytes() + np.concatenate([head, codes], axis=1).tobytes()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The bundled model, and Q4_0's weights; in F32, so that llama.cpp does not round the activations."""
    folder = tmp_path_factory.mktemp("pair")
    run("convert", TINY, folder / "reference.gguf", "--type", "f32")
    run("convert", TINY, folder / "q4_0.gguf", "--type", "q4_0")
    run("convert", folder / "q4_0.gguf", folder / "model.gguf", "--type", "f32")
    return folder / "reference.gguf", folder / "model.gguf"


def compare(model, reference, text, path):
    run("evalppl", model, "--reference", reference, "--text", text, "--chunks", WINDOWS, "--json", path)
    return json.loads(path.read_text())


def test_dumps_have_llama_cpps_layout_and_logits(tmp_path, text, pair):
    """Ours is read by the layout, and one of llama.cpp's logits is compared with as a live reference is."""
    reference, model = pair
    run("evalppl", reference, "--text", text, "--chunks", WINDOWS, "--save-reference", tmp_path / "ours.kld")
    tokens, ours = read_dump(tmp_path / "ours.kld")
    theirs, _, ids = log_probabilities(reference, text)
    assert (tokens == ids).all() and ours.shape == theirs.shape
    half_step = 16 / 65535 / 2
    kept = theirs > theirs.max(1, keepdims=True) - 15.99
    assert np.abs(ours - theirs)[kept].max() < half_step + AGREEMENT
    (tmp_path / "theirs.kld").write_bytes(dump(tokens, theirs))
    live = compare(model, reference, text, tmp_path / "live.json")
    for name in ("ours.kld", "theirs.kld"):
        kept = compare(model, tmp_path / name, text, tmp_path / "kept.json")
        assert kept["kl_divergence"]["mean"] == pytest.approx(live["kl_divergence"]["mean"], abs=half_step)
        assert kept["perplexity_ratio"] == pytest.approx(live["perplexity_ratio"], rel=2 * half_step)


def test_compact_references_are_a_twentieth_of_dumps(tmp_path, text, pair):
    reference, model = pair
    for name in ("compact.dtz", "dump.kld"):
        run("evalppl", reference, "--text", text, "--chunks", WINDOWS, "--save-reference", tmp_path / name)
    assert 20 * (tmp_path / "compact.dtz").stat().st_size < (tmp_path / "dump.kld").stat().st_size
    live = compare(model, reference, text, tmp_path / "live.json")
    assert 0 < live["kl_divergence"]["noise_floor"] < 1e-6
    kept = compare(model, tmp_path / "compact.dtz", text, tmp_path / "kept.json")
    assert kept["kl_divergence"]["noise_floor_of"] == "storage"
    error = kept["kl_divergence"]["noise_floor"]
    # Four of them leave one text in 16,000 out.
    assert abs(kept["kl_divergence"]["mean"] - live["kl_divergence"]["mean"]) < 4 * error < 0.01
    assert kept["perplexity_ratio"] == pytest.approx(live["perplexity_ratio"], rel=1e-6)


def test_junit_is_xml_that_names_each_gate(tmp_path, tiny_f16, text):
    model = tmp_path / "a & <b> \"c\".gguf"
    model.symlink_to(tiny_f16)
    junit = tmp_path / "gates.xml"
    run("evalppl", model, "--reference", tiny_f16, "--text", text, "--chunks", 2, "--max-kld", 1,
        "--max-bytes", 1000, "--junit", junit, status=FAILED)
    suites = ElementTree.parse(junit).getroot()
    assert suites.tag == "testsuites" and suites.get("tests") == "2" and suites.get("failures") == "1"
    (suite,) = suites.findall("testsuite")
    assert suite.get("name").endswith(model.name)
    passed, failed = suite.findall("testcase")
    assert passed.get("name").startswith("max-kld") and passed.find("failure") is None
    assert failed.get("name").startswith("max-bytes")
    assert "must be at most 1000" in failed.find("failure").get("message")
    assert "perplexity" in suite.find("system-out").text


# -- what cannot be measured ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(tmp_path_factory, text, tiny_f16):
    """Inputs that nothing can be measured with, by name."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "short.txt").write_text("Only a few words.")
    (folder / "no-report.json").write_text("{}")
    other = folder / "other.json"
    run("evalppl", tiny_f16, "--text", HELD_OUT / "code.txt", "--chunks", 2, "--json", other)
    unreferenced = folder / "unreferenced.json"
    run("evalppl", tiny_f16, "--text", text, "--chunks", 2, "--json", unreferenced)
    tensors = {name: value.copy() for name, value in TinyLlama(seed=1).tensors.items()}
    tensors["model.norm.weight"][3] = np.nan
    TinyLlama(seed=1).save_hugging_face(folder / "nan", tensors)
    (folder / "tasks.txt").write_text("a context\n1\nonly one ending\n")
    (folder / "none.txt").write_text("")
    (folder / "tasks.bin").write_bytes(struct.pack("<II", 1, 2**31))
    return folder


UNMEASURABLE = {
    "empty text": ("{tiny} --text {broken}/empty.txt", BAD_INPUT),
    "text shorter than a window": ("{tiny} --text {broken}/short.txt", BAD_INPUT),
    "no such text": ("{tiny} --text {broken}/absent.txt", IO),
    "no such model": ("{broken}/absent.gguf --text {text}", IO),
    "no such reference": ("{tiny} --text {text} --reference {broken}/absent.gguf", IO),
    "a gate without reference": ("{tiny} --text {text} --max-kld 1", USAGE),
    "a bound that is no number": ("{tiny} --text {text} --reference {tiny} --max-kld nan", USAGE),
    "a bound without end": ("{tiny} --text {text} --reference {tiny} --max-kld inf", USAGE),
    "a regression of 200 %": ("{tiny} --text {text} --baseline b --max-regression 2", USAGE),
    "one window for a gate": ("{tiny} --text {text} --reference {tiny} --chunks 1 --max-kld 1", BAD_INPUT),
    "logits that are not finite": ("{broken}/nan --text {text} --ctx 64 --chunks 2", BAD_INPUT),
    "a reference whose are not": ("{llama} --reference {broken}/nan --text {text} --ctx 64 --chunks 2", BAD_INPUT),
    "another vocabulary": ("{tiny} --reference {llama} --text {text} --ctx 64 --chunks 2", USAGE),
    "no such baseline": ("{tiny} --text {text} --chunks 2 --baseline {broken}/absent.json --max-regression 1%", IO),
    "a baseline that is none": ("{tiny} --text {text} --chunks 2 --baseline {broken}/no-report.json --max-regression 1%", BAD_INPUT),
    "a baseline of another text": ("{tiny} --text {text} --chunks 2 --baseline {broken}/other.json --max-regression 1%", BAD_INPUT),
    "a baseline of more windows": ("{tiny} --text {text} --chunks 3 --baseline {broken}/unreferenced.json --max-regression 1%", BAD_INPUT),
    "a baseline without reference": (
        "{tiny} --text {text} --chunks 2 --reference {tiny} --baseline {broken}/unreferenced.json --max-regression 1%", BAD_INPUT),
    "no tasks": ("{tiny} --hellaswag {broken}/none.txt", BAD_INPUT),
    "half a task": ("{tiny} --hellaswag {broken}/tasks.txt", BAD_INPUT),
    "tasks beyond the file": ("{tiny} --multiple-choice {broken}/tasks.bin", BAD_INPUT),
    "no such tasks": ("{tiny} --winogrande {broken}/absent.csv", IO),
}


@pytest.mark.parametrize("name", UNMEASURABLE)
def test_what_cannot_be_measured_is_no_success(name, broken, tiny_f16, llama, text, tmp_path):
    line, status = UNMEASURABLE[name]
    arguments = line.format(tiny=tiny_f16, broken=broken, llama=llama, text=text).split()
    report = tmp_path / "report.json"
    result = run("evalppl", *arguments, "--json", report, status=status)
    assert result.stdout == b"" and b"error: " in result.stderr
    assert not report.exists()
