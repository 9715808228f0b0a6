"""The agent's tools: they list, search and read the demo's documents and calculate, and note every run."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from outlay._demo.texts import DOCUMENTS

__all__ = ["calculate", "make_tools"]

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def make_tools(ran: list[str]) -> list[BaseTool]:
    """Make the tools; each appends its name to `ran` when it really runs, for the audit."""

    def noted(function: Callable[..., str]) -> BaseTool:
        def run(**arguments: Any) -> str:
            ran.append(function.__name__)
            return function(**arguments)

        schema = StructuredTool.from_function(function).args_schema
        return StructuredTool.from_function(
            run, name=function.__name__, description=function.__doc__, args_schema=schema
        )

    return [noted(function) for function in (list_documents, search_documents, read_document, calculate)]


def list_documents() -> str:
    """List the names of all documents, one a line."""
    return "\n".join(DOCUMENTS)


def search_documents(words: str) -> str:
    """Name the documents that contain all of the given words, one a line."""
    wanted = words.lower().split()
    found = [name for name, text in DOCUMENTS.items() if all(word in text.lower() for word in wanted)]
    return "\n".join(found) or "no document contains these words"


def read_document(name: str) -> str:
    """Read one document by its name."""
    return DOCUMENTS.get(name, f"there is no document named {name!r}")


def calculate(expression: str) -> str:
    """Calculate an expression of numbers with + - * / and brackets, rounded to cents."""
    try:
        return f"{_value(ast.parse(expression, mode='eval').body):.2f}"
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        return f"cannot calculate {expression!r}: {error}"


def _value(node: ast.expr) -> float:
    # Only numbers and the operators above: a model's text never becomes code.
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand))
    raise ValueError("only numbers, + - * / and brackets are allowed")
