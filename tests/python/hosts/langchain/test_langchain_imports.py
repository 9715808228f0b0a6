"""Frameworks are imported by those who ask for them, and by nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = "('langchain', 'langchain_core', 'langgraph', 'openai', 'pydantic')"


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["outlay", "outlay.testing", "outlay._calls.call", "outlay._usage.responses"]
)
def test_import_brings_no_framework(module):
    """A process that only counts tokens pays for no framework."""
    code = f"import sys, {module}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    assert run(code) == "[]"


def test_wrap_alone_does_not_import_agents():
    """Agents take seconds to import; a wrapped model does without them."""
    code = "import sys; from outlay.langchain import wrap; print('langchain.agents' in sys.modules)"
    assert run(code) == "False"


@pytest.mark.parametrize("missing", ["langchain", "langchain_core"])
def test_missing_framework_names_the_extra(missing):
    """The error says what to install."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try:\n    import outlay.langchain\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "pip install outlay[langchain]" in run(code)


def test_everything_named_is_there():
    """`__all__` is complete and importable."""
    import outlay.langchain
    import outlay.testing

    for module in (outlay.langchain, outlay.testing):
        assert set(module.__all__) <= set(dir(module))
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="nothing"):
            _ = module.nothing
