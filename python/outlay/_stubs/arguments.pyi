"""The types that arguments of several classes share."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, SupportsIndex, TypeAlias
from uuid import UUID

Id: TypeAlias = str | UUID
Amount: TypeAlias = SupportsIndex
Labels: TypeAlias = Mapping[str, str]
Period: TypeAlias = float | timedelta
Ending: TypeAlias = Literal["charge", "release"]
Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str] | tuple[bytes, bytes]]
)
Path: TypeAlias = str | os.PathLike[str]
Policy: TypeAlias = dict[str, Any] | Path
Tier: TypeAlias = Mapping[str, str | int]
Multipliers: TypeAlias = Mapping[str, str | Mapping[str, str]]
Price: TypeAlias = (
    Mapping[str, str] | Mapping[str, str | Sequence[Tier]] | Mapping[str, str | Sequence[Tier] | Multipliers]
)
Prices: TypeAlias = Mapping[str, Mapping[str, str]] | Mapping[str, Price]
