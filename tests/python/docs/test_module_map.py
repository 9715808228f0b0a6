"""The map of the modules is that of today."""

import re

from module_map import PAGE, ROOT, render

COMMAND = "run: python tests/python/docs/module_map.py"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render(), COMMAND


def test_every_module_is_on_the_page_and_says_what_it_is():
    page = render()
    found = 0
    for folder in ("src", "python/outlay"):
        for path in (*(ROOT / folder).rglob("*.rs"), *(ROOT / folder).rglob("*.py")):
            found += 1
            section = page.split(f"## `{path.parent.relative_to(ROOT).as_posix()}/`\n")[1].split("\n## ")[0]
            assert re.search(rf"^\| `{re.escape(path.name)}` \| .+ \|$", section, re.MULTILINE), path
    assert found > 100
