"""The packages are imported by those who ask for them, and a missing one is named."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_fastmcp_all_but_the_middleware_is_there():
    code = (
        "import sys; sys.modules['fastmcp'] = None\n"
        "import outlay.mcp; outlay.mcp.wrap; outlay.mcp.wrap_sampling\n"
        "try:\n    outlay.mcp.BudgetMiddleware\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "pip install outlay[mcp]" in run(code)


def test_wrap_alone_does_not_import_fastmcp():
    assert run("import sys, outlay.mcp; print('fastmcp' in sys.modules)") == "False"


def test_a_missing_package_names_the_extra():
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "try:\n    import outlay.mcp\n"
        "except ImportError as error:\n    print(error)"
    )
    assert run(code) == "outlay.mcp needs MCP: pip install outlay[mcp]"


def test_everything_named_is_there():
    import outlay.mcp

    assert set(outlay.mcp.__all__) <= set(dir(outlay.mcp))
    for name in outlay.mcp.__all__:
        assert getattr(outlay.mcp, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = outlay.mcp.nothing
