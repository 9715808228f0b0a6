"""The corpus: every payload at every surface that can meet it, the costs by hand, and the page of both."""

from __future__ import annotations

import importlib.util
import warnings

import pytest
from corpus_entry import PAYLOADS, cost_by_hand, load_entries
from corpus_page import PAGE, render
from corpus_world import Provider
from surfaces import SURFACES
from surfaces.base import fields_of

ENTRIES = load_entries()


@pytest.fixture(scope="module")
def provider():
    """Start one server for all; each test says what it sends."""
    with Provider() as started:
        yield started


def _installed(package):
    try:
        return package is None or importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a package with dots
        return False


def _cells():
    missing = set()
    for name, surface in SURFACES.items():
        for entry in ENTRIES:
            package = surface.package(entry)
            if surface.gap(entry) is not None or (name, package) in missing:
                continue
            if _installed(package):
                yield pytest.param(surface, entry, id=f"{name}-{entry.id}")
                continue
            missing.add((name, package))
            skip = pytest.mark.skip(reason=f"{package} is not installed")
            yield pytest.param(surface, entry, id=f"{name}-{package}", marks=skip)


@pytest.mark.parametrize(("surface", "entry"), list(_cells()))
def test_payload_is_booked_as_its_page_says(surface, entry, provider):
    """All kinds, and the cost to the micro-USD."""
    provider.entry = entry
    with warnings.catch_warnings():
        # Some SDKs find a gateway's answer not to be OpenAI's.
        warnings.simplefilter("ignore", UserWarning)
        booked = surface.book(entry, provider)
    assert booked == fields_of(entry.expected(surface.name))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_cost_is_that_of_the_prices_of_its_file(entry):
    """The number written by hand is the sum of the counts at their prices, or what the provider tells."""
    assert entry.cost == max(cost_by_hand(entry.counts, entry.prices, entry.model), entry.said)
    for other in entry.at.values():
        counts = {**entry.counts, **other.get("counts", {})}
        said = other.get("said", entry.said)
        assert other.get("cost", entry.cost) >= entry.cost, "less than what is billed is no booking"
        assert other.get("cost", entry.cost) == max(cost_by_hand(counts, entry.prices, entry.model), said)


def test_corpus_is_as_large_as_it_says():
    """120 payloads of 20 providers, of which two thirds of the cells are held."""
    assert len(ENTRIES) >= 120
    assert len({entry.provider for entry in ENTRIES}) >= 20
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES)
    gaps = [surface.gap(entry) is not None for entry in ENTRIES for surface in SURFACES.values()]
    assert sum(gaps) * 3 <= len(gaps)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_entry_names_known_surfaces_and_a_page(entry):
    """A gap or another booking has a reason in a few words."""
    assert {*entry.gaps, *entry.at} <= set(SURFACES)
    reasons = [*entry.gaps.values(), *(other["reason"] for other in entry.at.values())]
    assert all(0 < len(reason) <= 200 for reason in reasons)
    assert entry.url.startswith("https://")


def test_page_is_up_to_date():
    """The page says what the entries say: run corpus_page.py after one has changed."""
    assert PAGE.read_text(encoding="utf-8") == render(ENTRIES)


def test_files_are_short():
    """A file of payloads has no more lines than one of code."""
    assert all(len(path.read_text().splitlines()) <= 400 for path in PAYLOADS.rglob("*.toml"))
