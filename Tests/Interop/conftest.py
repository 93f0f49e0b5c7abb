import pytest
from models import TinyLlama
from support import BINARIES, TINY, run


def pytest_sessionstart(session):
    missing = [n for n in ("detent", "convert", "quantize", "evalppl") if not (BINARIES / n).exists()]
    if missing:
        pytest.exit(f"build first (swift build -c release): no {', '.join(missing)} in {BINARIES}", 2)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Files that several tests read and none writes."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def llama(folder):
    """A seeded model of one layer whose rows every grid can hold, as a Hugging Face folder in F32."""
    return TinyLlama(seed=1).save_hugging_face(folder / "llama-f32")


@pytest.fixture(scope="session")
def llama_gguf(folder):
    """The same model as the `gguf` package writes it."""
    return TinyLlama(seed=1).save_gguf(folder / "llama-f32.gguf")


@pytest.fixture(scope="session")
def tiny_f16(folder):
    """The bundled model, converted by us."""
    path = folder / "tiny-f16.gguf"
    run("convert", TINY / "model.safetensors", path, "--type", "f16")
    return path
