"""`printable`: no text of others acts on a terminal, or hides in one."""

from __future__ import annotations

import sys
import unicodedata

from outlay._printable import printable


def test_what_a_terminal_obeys_or_hides_is_escaped() -> None:
    for given, shown in (
        ("\x1b[31mRED\x07", "\\x1b[31mRED\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("heart\ufe0f", "heart\\ufe0f"),
        ("half\udc9b", "half\\udc9b"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
    ):
        assert printable(given) == shown
        assert printable(given).encode().decode() == shown


def test_what_a_person_can_read_stays() -> None:
    for text in ("plain", "größer als 5 €", "日本語", "🦀", "a b", "\\x1b"):
        assert printable(text) == text
    assert printable("two\nlines\x1b", keep="\n") == "two\nlines\\x1b"


def test_every_control_and_format_character_of_unicode_is_escaped() -> None:
    # Cf has marks of Arabic numbers, Kaithi and hieroglyphs as well: they are seen.
    seen = ("ARABIC", "KAITHI", "EGYPTIAN", "SYRIAC")
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if hidden and not unicodedata.name(character, "").startswith(seen):
            assert printable(character) != character, hex(code)
