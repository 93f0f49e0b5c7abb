"""`detent report`: the page in a browser, and work that goes on after `kill -9`."""

import json
import signal
import subprocess
import time

import browser
import pytest
from support import FAILED, argv, run

ARGUMENTS = ("--types", "f16,q8_0,q4_0,q2_k", "--methods", "rtn,gptq,awq",
             "--chunks", 6, "--ctx", 128, "--nsamples", 4, "--seqlen", 64, "--quiet")

# Boxes of all texts that are shown, in each drawing and in the page, and which of them cover each other.
OVERLAPS = """
(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg')) {
    if (!svg.getClientRects().length) continue;
    const frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    for (const [index, [name, a]] of boxes.entries()) {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 2 || a.bottom > frame.bottom + 2)
        found.push(`${name} leaves its drawing`);
      for (const [other, b] of boxes.slice(index + 1))
        if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom)
          found.push(`${name} and ${other}`);
    }
  }
  return found;
})()
"""

# What every plot must have; one drawing of each figure is shown.
PLOTS = """
[...document.querySelectorAll('figure')].map(figure => {
  const shown = [...figure.querySelectorAll('svg')].filter(svg => svg.getClientRects().length);
  const texts = shown.flatMap(svg => [...svg.querySelectorAll('text')].map(text => text.textContent));
  return {count: shown.length, titles: shown.flatMap(svg => [...svg.querySelectorAll('.title')].map(t => t.textContent)),
          ticks: shown.flatMap(svg => [...svg.querySelectorAll('.tick')]).length, texts,
          size: Math.min(...shown.flatMap(svg => [...svg.querySelectorAll('text')].map(
            text => parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)))};
})
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladder")
    run("detent", "report", "-o", folder, *ARGUMENTS, timeout=600)
    return folder


@pytest.mark.skipif(browser.PATH is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("dark", [False, True])
def test_page(report, tmp_path, width, dark):
    with browser.Browser(tmp_path) as page:
        page.open(report / "report.html", width, dark)
        assert page.complaints == []
        # Only what scrolls in its own box may be wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
        plots = page.evaluate(PLOTS)
        assert len(plots) == 4
        for plot in plots:
            assert plot["count"] == 1
            assert plot["titles"] and plot["ticks"] >= 4
            assert plot["size"] >= 10.9  # pixels: 12 at 390, a little less at 360
            assert any(name in plot["texts"] for name in ("gptq", "Q4_0 4.50"))  # a legend
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") != dark


def test_goes_on_after_a_kill(tmp_path):
    command = argv("detent", "report", "-o", tmp_path, "--types", "q8_0,q4_0", "--methods", "rtn,gptq",
                   "--chunks", 4, "--ctx", 128, "--nsamples", 8, "--seqlen", 128, "--quiet")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    first = tmp_path / "state" / "q8_0-rtn.json"
    deadline = time.monotonic() + 120
    while not (first.exists() and "measuring_key" in first.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "report.json").exists()
    done = {path: path.stat().st_mtime_ns for path in (first, tmp_path / "models" / "q8_0-rtn.gguf")}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(json.loads((tmp_path / "report.json").read_text())["entries"]) == 4


def test_files_are_those_of_quantize(report, tmp_path):
    made = tmp_path / "q4.gguf"
    run("quantize", "-o", made, "--type", "q4_0", "--method", "gptq", "--nsamples", 4, "--seqlen", 64)
    assert made.read_bytes() == (report / "models" / "q4_0-gptq.gguf").read_bytes()


def test_check(report):
    run("detent", "report", "check", report, "--quiet", timeout=600)
    document = json.loads((report / "report.json").read_text())
    document["entries"][1]["evaluation"]["kl_divergence"]["mean"] *= 1.01
    text = (report / "report.json").read_text()
    (report / "report.json").write_text(json.dumps(document, indent=2))
    words = run("detent", "report", "check", report, "--quiet", status=FAILED, timeout=600).stderr.decode()
    (report / "report.json").write_text(text)
    assert "q8_0-rtn.gguf: kl_divergence.mean is " in words
