"""Every driver in every case and every mode; and the page that tells what holds."""

from __future__ import annotations

import pytest
from cases import CASES
from kit import World, find_drivers, modes_of
from step_cases import STEP_CASES
from table import PAGE, render

FOUND = find_drivers()


def _parameters():
    for found in FOUND:
        if found.driver is None:
            skip = pytest.mark.skip(reason=f"{found.name}: {found.missing}")
            yield pytest.param(None, "", "", id=found.name, marks=skip)
            continue
        for name, case in CASES.items():
            if name in found.gaps:
                continue
            if _of_steps(found.driver, name):
                yield pytest.param(found.driver, name, "steps", id=f"{found.name}-{name}-steps")
                continue
            # An agent host's own cases have one mode: the driver's method of that name.
            modes = list(modes_of(found.driver, case.modes or (name,)))
            for mode in modes or [""]:
                yield pytest.param(found.driver, name, mode, id=f"{found.name}-{name}-{mode or 'none'}")


def _of_steps(driver, name):
    return name in STEP_CASES and getattr(driver, "steps", False)


@pytest.mark.parametrize(("driver", "name", "mode"), list(_parameters()))
def test_case(driver, name, mode):
    """The case holds; a driver that cannot run it says why."""
    assert mode, f"{driver.name} neither has what {name} needs nor lists it in gaps"
    world = World(driver, name, mode)
    try:
        if mode == "steps":
            world.loop.run(STEP_CASES[name].check(world))
        else:
            CASES[name].check(world)
    finally:
        world.close()


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.name)
def test_gaps_are_cases_with_reasons(found):
    """A gap names a case and says in a few words why."""
    assert set(STEP_CASES) | set(found.gaps) <= set(CASES)
    assert all(isinstance(reason, str) and 0 < len(reason) <= 200 for reason in found.gaps.values())


def test_names_are_not_used_twice():
    """Each driver has a row of its own."""
    names = [found.name for found in FOUND]
    assert len(set(names)) == len(names)


def test_page_is_up_to_date():
    """The page says what the drivers say: run table.py after a driver has changed."""
    assert PAGE.read_text() == render(FOUND)
