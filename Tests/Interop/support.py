"""Where things are, and how a command is run."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
BINARIES = Path(os.environ.get("DETENT_BIN", ROOT / ".build" / "release"))
TINY = ROOT / "Calibration" / "detent-tiny"
HELD_OUT = ROOT / "Calibration" / "Corpora" / "held-out"

OK, FAILED, USAGE, BAD_INPUT, IO, INTERRUPTED = 0, 1, 64, 65, 74, 130

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the material beside the checkout"
)


def argv(command, *arguments):
    return [str(BINARIES / command), *map(str, arguments)]


def run(command, *arguments, status=OK, timeout=120):
    """Runs a command to its end and checks how it ended.

    A negative status is a signal: no input may cause one, so it is reported as such.
    """
    result = subprocess.run(
        argv(command, *arguments), capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    words = result.stderr.decode(errors="replace")
    typed = " ".join([command, *map(str, arguments)])
    assert result.returncode >= 0, f"{typed}: killed by signal {-result.returncode}\n{words}"
    wanted = status if isinstance(status, (tuple, list, set)) else (status,)
    assert result.returncode in wanted, f"{typed}: exit {result.returncode}\n{words}"
    return result
