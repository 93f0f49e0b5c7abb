"""An interrupted command leaves nothing under the output's name."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import INTERRUPTED, TINY, argv

# GPTQ over many windows, so that there is a middle to interrupt.
WORK = ("quantize", "--method", "gptq", "--bits", 4, "--nsamples", 64, "--seqlen", 512, TINY)


@pytest.fixture(scope="module")
def duration(tmp_path_factory):
    """How long the work takes when nobody interrupts it."""
    out = tmp_path_factory.mktemp("whole") / "out.gguf"
    started = time.monotonic()
    subprocess.run(argv(*WORK, out), check=True, capture_output=True)
    assert out.exists()
    return time.monotonic() - started


def listen_to_interrupts():
    """A shell starts background jobs with SIGINT ignored, and a command leaves that as it is."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(out, after, how, ready=False):
    """Starts the work and sends a signal after so many seconds; returns the status and standard error.

    A run may be faster than the one that was timed. One that ended first is repeated with less time.
    `ready` counts from the first line of progress, when the command surely listens to signals.
    """
    for _ in range(8):
        process = subprocess.Popen(
            argv(*WORK, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=listen_to_interrupts)
        try:
            words = process.stderr.readline() if ready else b""
            time.sleep(after)
            process.send_signal(how)
            words += process.communicate(timeout=30)[1]
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            break
        out.unlink()
        after *= 0.6
    return process.returncode, words.decode(errors="replace")


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95])
def test_kill_leaves_no_output(tmp_path, duration, share):
    out = tmp_path / "out.gguf"
    status, _ = interrupt(out, duration * share, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert not out.exists()


@pytest.mark.parametrize("share", [0, 0.4, 0.8])
def test_interrupt_is_130_and_leaves_no_file_at_all(tmp_path, duration, share):
    out = tmp_path / "out.gguf"
    status, words = interrupt(out, duration * share, signal.SIGINT, ready=True)
    assert status == INTERRUPTED, f"status {status}\n{words}"
    assert list(tmp_path.iterdir()) == [], "an interrupted command cleans up after itself"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_thread_is_interrupted_in_its_work(tmp_path, number):
    """oneDNN keeps things below the stack's end, where a handler's frame would go: memory would be damaged."""
    process = subprocess.Popen(
        argv(*WORK, tmp_path / "out.gguf"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=listen_to_interrupts)
    try:
        process.stderr.readline()
        time.sleep(0.5)
        threads = list(Path(f"/proc/{process.pid}/task").iterdir())
        assert len(threads) > 1
        for thread in threads:
            status = dict(
                line.split(":", 1) for line in (thread / "status").read_text().splitlines())
            assert int(status["SigBlk"], 16) >> number - 1 & 1, f"{thread} gets signal {number}"
    finally:
        process.kill()
        process.communicate()


def test_an_older_output_survives(tmp_path, duration):
    out = tmp_path / "out.gguf"
    out.write_bytes(b"what was there before")
    status, _ = interrupt(out, duration * 0.3, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert out.read_bytes() == b"what was there before"
