"""Libraries are imported by those who ask for them, and no module of ours stands in their place."""

from __future__ import annotations

import subprocess
import sys

import pytest

import outlay

HOSTS = "('anthropic', 'google.genai', 'httpx', 'httpx2', 'openai')"


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["outlay", "outlay._http.client", "outlay._http.errors"])
def test_import_brings_no_client(module):
    code = f"import sys, {module}; print([name for name in {HOSTS} if name in sys.modules])"
    assert run(code) == "[]"


def test_each_face_brings_its_own_library_only(hx):
    name = hx.__name__
    code = f"import sys, outlay.{name}; print([name for name in {HOSTS} if name in sys.modules])"
    assert run(code) == f"['{name}']"


@pytest.mark.parametrize(
    ("missing", "module", "extra"),
    [
        ("httpx", "httpx", "httpx"),
        ("httpx2", "httpx2", "httpx2"),
        ("anthropic", "anthropic", "anthropic"),
        ("httpx2", "anthropic", "anthropic"),
    ],
)
def test_a_missing_library_names_the_extra(missing, module, extra):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"try:\n    import outlay.{module}\n"
        "except ImportError as error:\n    print(error)"
    )
    assert f"pip install outlay[{extra}]" in run(code)


def test_everything_named_is_there(faces):
    assert {"transport", "async_transport", "wrap"} == set(faces.__all__)
    assert all(callable(getattr(faces, name)) for name in faces.__all__)


def test_each_face_is_of_its_own_library(hx, faces, guard, pool):
    """The functions are the same, and what they make and are called is not."""
    assert isinstance(faces.transport(pool), hx.BaseTransport)
    assert isinstance(faces.async_transport(pool), hx.AsyncBaseTransport)
    with guard.client(pool, team="faces", estimate="expected"):
        named = [layer["by"] for layer in outlay.doctor()["wrapped"] if layer["labels"] == {"team": "faces"}]
    assert named == [hx.__name__]
