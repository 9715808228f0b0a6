"""The pages on policies, guards and waiting: every TOML block is a policy, every Python block runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import outlay

DOCS = Path(__file__).parents[3] / "docs"
POLICY = (DOCS / "policy.md").read_text(encoding="utf-8")
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
TOML = re.findall(r"```toml\n(.*?)```", POLICY + README, re.DOTALL)
PAGES = "".join(
    (DOCS / page).read_text(encoding="utf-8") for page in ("guard.md", "settling.md", "waiting.md")
)
PYTHON = re.findall(r"```python\n(.*?)```", PAGES, re.DOTALL)


@pytest.mark.parametrize("block", TOML, ids=range(len(TOML)))
def test_a_policy_on_the_page_is_read(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one of them has a store, in the folder where it runs
    path = tmp_path / "policy.toml"
    path.write_text(block, encoding="utf-8")
    outlay.Guard(path)
    assert not list(Draft202012Validator(outlay.POLICY_SCHEMA).iter_errors(tomllib.loads(block)))


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_a_block_on_the_page_runs(block):
    exec(block, {})


@pytest.mark.parametrize("table", ["", "store", "defaults", "budget", "workflow", "pool", "limiter", "tool"])
def test_every_key_is_on_the_page(table):
    schema = outlay.POLICY_SCHEMA
    found = schema["$defs"].get(table) or schema["properties"].get(table) or schema
    for key in found["properties"]:
        rate = re.fullmatch(r"(\w+_)(per_(?:second|minute|hour|day))", key)
        for word in rate.groups() if rate else [key]:
            assert re.search(rf"\b{word}", POLICY), key
