"""Budgets for HTTP clients: the functions of `outlay.httpx` and `outlay.httpx2`."""

from outlay._http.ahead import ReadAhead
from outlay._http.answers import Answers
from outlay._http.body import BodyReader, parsed
from outlay._http.errors import speaking
from outlay._http.faces import Faces

__all__ = [
    "Answers",
    "BodyReader",
    "Faces",
    "ReadAhead",
    "parsed",
    "speaking",
]
