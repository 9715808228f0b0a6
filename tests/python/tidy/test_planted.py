"""Each rule finds what breaks it, and nothing where all is well."""

from __future__ import annotations

import names
import prose
import pytest
import rooms
import wraps
from imports import Package


def package(**files):
    """Return a package of modules; `x__y` is outlay/x/y.py."""
    paths = {f"outlay/{name.replace('___', '/')}.py": text for name, text in files.items()}
    return Package({"outlay/__init__.py": "", **paths})


def test_an_import_into_a_higher_room_is_found():
    down = package(_calls___call="from outlay._usage.prompt import A", _usage___prompt="A = 1")
    assert rooms.upward(down) == {}
    up = package(_usage___prompt="def f():\n    from .._calls.call import A", _calls___call="A = 1")
    assert rooms.upward(up) == {"outlay/_usage/prompt.py": 1}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (
            "from outlay import Usage\nfrom outlay._wraps.layer import L\nfrom outlay.openai._own import A",
            0,
        ),
        ("from ._own import A\nimport outlay", 0),
        ("from outlay._calls.call import Call", 1),
        ("from outlay.langchain import wrap", 1),
        ("from outlay import _core", 1),
        ("if TYPE_CHECKING:\n    from .._guard import scopes", 1),
    ],
)
def test_a_host_takes_public_names_and_what_the_wraps_share(text, count):
    found = rooms.host_imports(package(openai____wrap=text, openai____own="A = 1"))
    assert sum(found.values()) == count


def test_an_init_that_defines_is_found():
    files = {"outlay/__init__.py": "from .a import A\ndef __getattr__(name): ...\n", "outlay/a.py": ""}
    assert rooms.inits_that_define(Package(files)) == {}
    files["outlay/__init__.py"] += "class A: ...\ndef f(): ...\n"
    assert rooms.inits_that_define(Package(files)) == {"outlay/__init__.py": 2}


def test_a_full_folder_and_a_shared_prefix_are_found():
    files = [f"src/a/{name}.rs" for name in "abcdefghijklmnop"]
    assert rooms.full_folders([*files, "src/a/mod.rs"]) == {}
    assert rooms.full_folders([*files, "src/a/q.rs"]) == {"src/a": 17}
    assert rooms.shared_prefixes(["a/_b_x.py", "a/_b_y.py", "c/_b_z.py"]) == {}
    assert rooms.shared_prefixes(["a/_b_x.py", "a/_b_y.py", "a/_b.py"]) == {"a/b_*": 3}
    tests = [f"tests/python/b/test_b_{name}.py" for name in "xyz"]
    assert rooms.shared_prefixes(tests) == {}


def test_a_room_without_tests_and_a_face_without_its_twin_are_found():
    paths = ["src/budgets/guard/a.rs", "src/budgets/pool.rs", "tests/guard/main.rs", "tests/budgets/main.rs"]
    assert rooms.rooms_without_tests(paths, {}) == {}
    assert rooms.rooms_without_tests(paths[:2], {"src/budgets": "none yet"}) == {"src/budgets/guard": 1}
    assert rooms.faces_without_twin(paths, {"src/budgets/guard": "why"}) == {"src/budgets/pool": 1}
    assert rooms.faces_without_twin([*paths, "src/py/budgets/pool.rs", "src/py/guard/a.rs"], {}) == {}
    assert rooms.rooms_without_tests(paths, {"src/gone": "why"}) == {"reasons.txt:src/gone": 1}


def test_two_types_of_one_name_are_found_within_a_language():
    rust = {"src/a.rs": "pub(crate) struct A;\ntrait B {}", "src/b.rs": "enum A {}\n    type B = u8;"}
    found = names.types_of_one_name(
        package(a="class A: ...\nUsage = tuple[int, int]", b="class Usage: ..."), rust
    )
    assert found == {"rust A": 2, "python Usage": 2}


def test_too_many_parameters_are_found_outside_of_the_faces():
    six = "def f(self, a, b, c, *, d, e, g, **labels): ...\ndef h(a, b, c, d, e, *rest): ..."
    assert names.parameters(package(_calls___a=six, _wraps___b=six)) == {"outlay/_calls/a.py": 1}
    takes = "(self, a, b, c, d, e, f): ..."
    public = f"class Usage:\n    def __init__{takes}\n    def _own{takes}"
    assert names.parameters(package(_calls___a=public)) == {"outlay/_calls/a.py": 1}


def test_private_names_of_other_modules_are_found():
    taken = "from .b import _x, Y\nfrom . import b, _c\nfrom outlay._c import Z\nb._x\nb.Y\n_c.Z\nself._x"
    assert names.private_imports(package(a=taken, b="_x = Y = 1", _c="Z = 1")) == {"outlay/a.py": 2}


def test_tricks_are_found():
    texts = {"outlay/a.py": "import os  # noqa: F401\nsys._getframe(1)", "outlay/__init__.py": "# noqa: F401"}
    assert names.tricks(texts) == {"outlay/a.py": 2}


def test_a_docstring_that_says_nothing_is_found():
    def one(): ...
    def two():
        """See the stub."""

    def three():
        """Return one."""

    assert [names.documented(each) for each in (one, two, three)] == [False, False, True]


def test_long_sentences_are_found_in_all_that_is_read():
    words = "word " * 30
    long = f"{words} word. {words}."
    for text in (
        prose.markdown(f"# Title\n\n{long}\n```\n{long}\n```\n| {long} | short |\n"),
        prose.rust_docs(f"//! {long}\n// {long}\nfn f() {{}}\n/// {long}\n"),
        prose.docstrings(
            f'"""Short.\n\n{long}\n"""\ndef f():\n    """Do.\n\n    Args:\n        a: {long}\n    """\n'
        ),
    ):
        assert prose.long_sentences({"page": text}) == {"page": 2}
    example = f'"""Short.\n\nExample:\n    >>> f("{words}{words}")\n    1\n\n"""'
    assert prose.long_sentences({"page": prose.docstrings(example)}) == {}


def test_banned_words_are_found():
    page = prose.markdown("It was told so. Who asks waits; `told`. Who asks? A seabed. Those who ask.")
    assert prose.banned_in_prose({"page": page}) == {"page": 2}
    named = (
        "struct LeaseMore { extra: u8 }\nfn look_at(of_meter: u8) { let told = 1; // fn desk\n}\nfn of() {}"
    )
    assert [name for name in prose.rust_names(named) if prose.is_banned(name)] == [
        "LeaseMore",
        "extra",
        "look_at",
        "of_meter",
        "told",
    ]
    named = "class _Desk:\n    def f(self, told, moreover):\n        self.extra = of_a = outlook = a.more = 1"
    assert sorted(name for name in prose.python_names(named) if prose.is_banned(name)) == [
        "_Desk",
        "extra",
        "of_a",
        "told",
    ]


def test_decisions_stand_under_headings_and_their_dates_rise():
    one, two = "- **2026-01-02. A.** b\n- **2026-01-03. C.** d\n", "- **2026-01-01. E.** f\n"
    fine = f"# D\n\n## One\n\n{one}\n## Two\n\n{two}"
    assert prose.decisions(fine) == {}
    assert prose.decisions(fine.replace("## One", "")) == {"docs/decisions.md": 2}
    assert prose.decisions(fine.replace("## Two", "")) == {"docs/decisions.md": 1}


def test_another_keyword_default_order_or_word_of_a_wrap_is_found():
    keywords = "prices=None, output_tokens=None, wait=None, estimate=None"
    text = f'''def wrap(a, *, operation="q", {keywords}, unguarded="w"):
    """Wrap.

    Args:
        operation: What it is.
        wait: Seconds.
    """
'''
    first = {"langchain____wrap": text}

    def differing(other):
        return wraps.differing(wraps.wraps(package(**first, openai____wrap=other)))

    assert differing(text) == {}
    for changed in (
        text.replace('"q"', '"r"'),
        text.replace("Seconds", "Minutes"),
        text.replace(", estimate=None", ""),
        text.replace("wait=None, estimate=None", "estimate=None, wait=None"),
    ):
        assert differing(changed) == {"outlay/openai/_wrap.py wrap": 1}
    assert wraps.differing({}) == {wraps.FIRST: 1}
