"""Every Python block of the pages on integrations runs; one whose extra is missing is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_support import python_blocks, run_pages

PAGES = {
    page.stem: python_blocks(page)
    for page in sorted((Path(__file__).parents[3] / "docs" / "integrations").glob("*.md"))
}
BLOCKS = [(name, number) for name, blocks in PAGES.items() for number in range(len(blocks))]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return what became of each block."""
    return run_pages(PAGES, tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize(("page", "number"), BLOCKS, ids=[f"{page}-{number + 1}" for page, number in BLOCKS])
def test_block_runs(ran, page, number):
    """Alone, or after those before it on the page; what it prints, it prints."""
    ran[page][number].check()
    if "print(" in PAGES[page][number]:
        assert ran[page][number].printed
