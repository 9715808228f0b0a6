"""The pages on stores and on workers: every Python block runs, in a folder of its own."""

import re
from pathlib import Path

import pytest
from page_support import Ran, run_pages

DOCS = Path(__file__).parents[3] / "docs"
BLOCKS = {
    page: re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    for page in ("stores", "workers")
}
ALL = [(page, number) for page, blocks in BLOCKS.items() for number in range(len(blocks))]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    """Return what became of each block of each page."""
    folder = tmp_path_factory.mktemp("stores")
    return {page: run_pages({page: blocks}, folder)[page] for page, blocks in BLOCKS.items()}


@pytest.mark.parametrize(("page", "number"), ALL)
def test_a_block_runs(ran: dict[str, list[Ran]], page: str, number: int) -> None:
    ran[page][number].check()


def test_there_is_a_block_of_each_page() -> None:
    assert all(BLOCKS.values())
