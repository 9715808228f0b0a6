"""The shapes of usages: each provider's and framework's names of the counts are mapped to those of `Usage`.

Everything is read by name, from attributes or from dictionary keys. In the result, the input includes cache
reads and cache writes, and the output includes reasoning.
"""

from __future__ import annotations

from outlay._usage.shapes.known import read_usage, shape_fields
from outlay._usage.shapes.reading import Reader, get, has, reader

__all__ = ["Reader", "get", "has", "read_usage", "reader", "shape_fields"]
