"""Rewrites the lists of what is not yet so, downwards only: `python tests/python/tidy/shrink.py`.

With `--moved`, what files that moved had is theirs: the sum of a list may not grow. The lists of the Rust
side are rewritten by `TIDY=shrink cargo test --test tidy` (`TIDY=moved`).
"""

from __future__ import annotations

import sys

import imports
import names
import prose
import rooms
import wraps
from ratchet import Counts, shrink


def found() -> dict[str, Counts]:
    """Return what breaks each rule today."""
    circles = {"circles": imports.circle_counts()}
    return {**circles, **rooms.rules(), **names.rules(), **prose.rules(), **wraps.rules()}


def main() -> int:
    """Rewrite each list; say which would grow."""
    moved = "--moved" in sys.argv[1:]
    refused = [f"{rule}: {line}" for rule, now in found().items() for line in shrink(rule, now, moved=moved)]
    sys.stderr.write("".join(f"{line}\n" for line in refused))
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
