"""Tests go the public way: what begins with an underscore may change without a word."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import REPOSITORY

TESTS = REPOSITORY / "tests"
REASON = "# private:"
"""Begins a comment that says why a private name is used after all, on its line or a few lines above."""
ABOVE = 5
OWN = {"self", "cls"}


def is_private(name: str) -> bool:
    """Whether a name is its owner's alone; `__init__` and `_repr_html_` are protocols."""
    return name.startswith("_") and not name.endswith("_")


def private_names(node: ast.AST) -> Iterator[str]:
    """The private names of something else that one node of a file uses: imported, asked for, or replaced."""
    if isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names if is_private(alias.name))
        yield from (part for part in (node.module or "").split(".") if is_private(part))
    elif isinstance(node, ast.Import):
        yield from (part for alias in node.names for part in alias.name.split(".") if is_private(part))
    elif isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) not in OWN:
        yield node.attr
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"setattr", "delattr"}:
        strings = [a.value for a in node.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        yield from (part for text in strings for part in text.split(".") if is_private(part))


def unexplained(source: str) -> list[str]:
    """Return the private names that a file uses without saying why, each with its line."""
    lines = source.splitlines()
    return [
        f"{node.lineno}: {name}"
        for node in ast.walk(ast.parse(source))
        for name in private_names(node)
        if not any(REASON in line for line in lines[max(node.lineno - 1 - ABOVE, 0) : node.lineno])
    ]


def test_no_test_uses_a_private_name_without_saying_why():
    files = sorted(TESTS.rglob("*.py"))
    found = {str(file.relative_to(TESTS)): unexplained(file.read_text(encoding="utf-8")) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from harness.cards import _read", ["1: _read"]),
        ("from harness._bundled import models", ["1: _bundled"]),
        ("import harness.cards as c\nc._read()", ["2: _read"]),
        ("monkeypatch.setattr(cards, '_READ', 1)", ["1: _READ"]),
        ("monkeypatch.setattr('harness.cards._READ', 1)", ["1: _READ"]),
        ("# private: there is no other way\ncards._read()", []),
        ("class A:\n    def b(self):\n        self._c = repr(self.__class__)", []),
        ("run._repr_html_()", []),
    ],
)
def test_a_private_name_is_found_however_it_is_reached(source, found):
    assert unexplained(source) == found
