"""Files are whole or absent."""

import ast

import pytest

from harness import atomic
from harness.errors import OutputError
from tests.support.paths import REPOSITORY


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "file"
    atomic.write_bytes(path, b"first")
    atomic.write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_parent_that_is_a_file_is_an_error_that_names_the_path(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        atomic.write_bytes(tmp_path / "file" / "below", b"x")


def test_a_name_that_is_a_folder_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder"):
        atomic.write_bytes(tmp_path / "folder", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / f"{'long' * 60}.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with atomic.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_is_measured_is_written_through_this_module_alone():
    """A write elsewhere would let a full disk pass for a model that failed."""
    root = REPOSITORY / "harness"
    files = [
        root / "session.py",
        *(file for room in ("worker", "bench") for file in (root / room).rglob("*.py")),
    ]
    found = [
        f"{file.relative_to(root)}:{call.lineno}"
        for file in files
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"write_text", "write_bytes", "mkdir"}
        and not (isinstance(call.func.value, ast.Name) and call.func.value.id == "atomic")
    ]
    assert not found
