"""Budgets below any HTTP client: the functions for httpx and httpx2, and what other hosts use of them."""

from outlay._http.answers import Answers
from outlay._http.body import BodyReader
from outlay._http.errors import speaking
from outlay._http.faces import Faces

__all__ = [
    "Answers",
    "BodyReader",
    "Faces",
    "speaking",
]
