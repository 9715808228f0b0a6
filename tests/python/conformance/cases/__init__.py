"""The cases of the conformance suite. Importing this registers all of them."""

from cases import accounts, guarded, settling, streams, usage
from cases.base import CASES

__all__ = ["CASES", "accounts", "guarded", "settling", "streams", "usage"]
