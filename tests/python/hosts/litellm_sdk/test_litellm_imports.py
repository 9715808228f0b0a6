"""LiteLLM is imported by those who ask for it, and a missing one is named."""

from __future__ import annotations

import subprocess
import sys


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_missing_package_names_the_extra():
    code = (
        "import sys; sys.modules['litellm'] = None\n"
        "try:\n    import outlay.litellm\n"
        "except ImportError as error:\n    print(error)"
    )
    assert run(code) == "outlay.litellm needs LiteLLM: pip install outlay[litellm]"


def test_outlay_alone_does_not_import_it():
    assert run("import sys, outlay, outlay._wraps.layer; print('litellm' in sys.modules)") == "False"


def test_a_refusal_can_be_pickled_and_takes_what_a_router_adds():
    import pickle

    from outlay import BudgetExceeded
    from outlay.litellm._errors import as_litellm_error

    refusal = as_litellm_error(BudgetExceeded("spent"))
    refusal.message += " (said LiteLLM)"
    copied = pickle.loads(pickle.dumps(refusal))
    assert type(copied) is type(refusal)
    assert copied.message == refusal.message
    assert copied.message.endswith(" (said LiteLLM)")
    assert copied.payload == refusal.payload
