"""Strict TOML: what is wrong is named with its file, key, value and what is expected."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from harness.errors import SchemaError
from harness.schema import Strict, check_name, convert, load_toml

FILE = Path("card.toml")


class Leaf(Strict, frozen=True, kw_only=True):
    size: int
    kind: Literal["stretch", "letterbox"] = "stretch"
    mean: tuple[float, float] | None = None
    map: Literal["coco80"] | None = None


class Tree(Strict, frozen=True, kw_only=True):
    leaf: Leaf
    leaves: tuple[Leaf, ...] = ()
    maybe: Leaf | None = None
    note: str = ""


def complaint(data: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        convert(data, Tree, FILE)
    text = str(caught.value)
    assert text.startswith("card.toml: ")
    return text.removeprefix("card.toml: ")


GOOD = {"size": 1}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"leaf": GOOD, "nota": ""}, "unknown key 'nota'; did you mean note?"),
        ({"leaf": {"size": 1, "siez": 2}}, "unknown key 'leaf.siez'; did you mean size?"),
        ({"leaf": GOOD, "maybe": {"size": 1, "mena": 2}}, "unknown key 'maybe.mena'; did you mean mean?"),
        ({"leaf": GOOD, "leaves": [GOOD, {"size": 1, "kin": 2}]}, "unknown key 'leaves[1].kin'; did you mean kind?"),
        ({"leaf": {"size": 1, "zzz": 2}}, "unknown key 'leaf.zzz'; known here: kind, map, mean, size"),
        ({}, "missing key 'leaf'"),
        ({"leaf": {}}, "missing key 'leaf.size'"),
        ({"leaf": GOOD, "leaves": [{}]}, "missing key 'leaves[0].size'"),
        ({"leaf": {"size": "big"}}, "key 'leaf.size': found 'big', expected `int`, got `str`"),
        ({"leaf": {"size": True}}, "key 'leaf.size': found True, expected `int`, got `bool`"),
        ({"leaf": {"size": 1.5}}, "key 'leaf.size': found 1.5, expected `int`, got `float`"),
        ({"leaf": [1]}, "key 'leaf': found [1], expected `object`, got `array`"),
        ({"leaf": {"size": 1, "mean": [1.0]}}, "key 'leaf.mean': found [1.0], expected `array` of length 2, got 1"),
        ({"leaf": {"size": 1, "mean": [1, "x"]}}, "key 'leaf.mean[1]': found 'x', expected `float`, got `str`"),
        ({"leaf": {"size": 1, "kind": "crop"}}, "key 'leaf.kind': found 'crop', expected one of stretch, letterbox"),
        ({"leaf": {"size": 1, "map": "voc"}}, "key 'leaf.map': found 'voc', expected one of coco80"),
        ({"leaf": {"size": 1, "kind": 3}}, "key 'leaf.kind': found 3, expected one of stretch, letterbox"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_does_not_fit_is_named_with_key_value_and_expectation(data: Any, expected: str) -> None:
    assert complaint(data) == expected


def test_the_deepest_of_several_arrays_is_the_one_that_is_named() -> None:
    assert complaint({"leaf": GOOD, "leaves": [GOOD, GOOD, {"size": "x"}]}).startswith("key 'leaves[2].size'")


def test_what_fits_becomes_an_immutable_struct() -> None:
    tree = convert({"leaf": {"size": 3, "mean": [1, 2.5]}, "leaves": [GOOD]}, Tree, FILE)
    assert tree.leaf == Leaf(size=3, mean=(1.0, 2.5))
    with pytest.raises(AttributeError):
        tree.note = "changed"  # type: ignore[misc]


def test_every_schema_struct_is_frozen_and_refuses_unknown_keys() -> None:
    from harness import cards, profiles

    structs = [
        kind
        for module in (cards, profiles)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Strict)
    ]
    assert len(structs) >= 10
    for kind in structs:
        assert kind.__struct_config__.frozen, kind
        assert kind.__struct_config__.forbid_unknown_fields, kind
        assert msgspec.structs.fields(kind) or kind is Strict


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"absent\.toml: cannot be read \(No such file"):
        load_toml(tmp_path / "absent.toml")


@pytest.mark.parametrize("text", [b"name = ", b"\xff\xfe", b"a = 1\na = 2", b"x = " + b"[" * 5000])
def test_what_is_not_toml_is_an_error_and_not_a_traceback(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text)
    with pytest.raises(SchemaError, match=r"bad\.toml: not valid TOML"):
        load_toml(file)


@pytest.mark.parametrize("name", ["ssd", "ssd_mobilenet-v1.0", "3d"])
def test_plain_names_are_accepted(name: str) -> None:
    assert check_name(name, FILE) is None


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "-x", "a\x00", "ä", "a\n"])
def test_names_that_could_be_paths_or_options_are_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="key 'name': found"):
        check_name(name, FILE)
