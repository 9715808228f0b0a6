"""`printable`: texts of others on a terminal. What a reader could not see is escaped."""

from __future__ import annotations

import re
from typing import Final

#: Characters that act on a terminal, or that nobody sees: controls, marks that turn the direction of
#: a line, characters without a width, variation selectors, tags, and halves of surrogate pairs. The
#: core has the same list for the JSON of a refusal (src/accounting/message/escape.rs).
HIDDEN: Final = (
    "\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN: Final = re.compile(f"[{HIDDEN}]")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with every character escaped that a reader could not see.

    Args:
        text: What is to be printed.
        keep: Characters that stay as they are, such as "\n" where the text has several lines.

    Example:
        >>> printable("a\x1b[31mred\u202e")
        'a\\x1b[31mred\\u202e'

    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    wide = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return short or (f"\\x{code:02x}" if code < 0x100 else wide)
