"""The framework is imported by those who ask for it, and a missing one is named."""

from __future__ import annotations

import subprocess
import sys


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_outlay_alone_brings_no_framework():
    assert run("import sys, outlay; print('agents' in sys.modules)") == "False"


def test_missing_framework_names_the_extra():
    code = (
        "import sys; sys.modules['agents'] = None\n"
        "try:\n    import outlay.openai_agents\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "pip install outlay[openai-agents]" in run(code)


def test_everything_named_is_there():
    import outlay.openai_agents as module

    assert all(getattr(module, name) is not None for name in module.__all__)
