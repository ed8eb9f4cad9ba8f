"""Change entries of a card by `KEY=VALUE`; the model's file is not touched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from harness import outputs, schema
from harness.cards import DecoderSpec, ExampleDataset, Model, ModelCard, Source
from harness.edit.card_toml import to_toml
from harness.errors import OutputError, UsageError
from harness.names import safe_name
from harness.paths import resolved

NONE = "none"
"""The value that removes an entry, so that its default applies."""


def with_settings(card: ModelCard, settings: Sequence[str]) -> ModelCard:
    """Return a card with other entries.

    Args:
        card: The present one.
        settings: `input.channels="bgr"`, `labels.offset=1`, `input.mean=none`: a key and a TOML value; words need no
            quotes.

    Raises:
        UsageError: A setting is not `KEY=VALUE`.
        SchemaError: A key does not exist, or a value does not fit it.
    """
    values: dict[str, Any] = msgspec.to_builtins(card)
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign or not all(key.strip().split(".")):
            raise UsageError(f"--set {setting!r}: expected KEY=VALUE, such as input.channels=bgr")
        _put(values, key.strip().split("."), _value(text.strip()))
    return schema.convert(_without_none(values), ModelCard, Path("--set"))


def _value(text: str) -> Any:
    if text == NONE:
        return None
    try:
        return schema.parse_toml_value(text)
    except ValueError:
        return text


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for step in path[:-1]:
        inner = values.get(step)
        values[step] = inner if isinstance(inner, dict) else {}
        values = values[step]
    values[path[-1]] = value


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Drop entries that are None: the card's defaults apply."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def write_card(card: ModelCard, model: Model, path: Path, remark: str, file: Path | None = None) -> Path:
    """Write a card whose paths find the model's files from the card's new place.

    Args:
        card: The card to write; published figures, which are of other settings, are left out.
        model: The card's present model, whose file, anchors and example dataset the paths lead to.
        path: The new file.
        remark: A comment above the card.
        file: Another .tflite.

    Raises:
        OutputError: It exists already, or cannot be written.
    """
    if outputs.is_taken(path):
        raise OutputError(f"{path}: exists already: name another file")
    there = resolved(path).parent
    dataset = model.dataset_path
    written = replace(
        card,
        name=safe_name(path.stem),
        source=Source(path=_relative(file or model.file, there)),
        decoder=_with_anchors(card.decoder, model, there),
        dataset=None if dataset is None else ExampleDataset(path=_relative(dataset, there)),
        published=(),
    )
    outputs.write(path, to_toml(written, remark).encode("utf-8"))
    return path


def _with_anchors(decoder: DecoderSpec, model: Model, there: Path) -> DecoderSpec:
    """Return a card whose path of anchors is right: the file lies beside the model's card, or beside a bare model."""
    anchors = decoder.anchors
    if anchors is None or anchors.file is None:
        return decoder
    file = (model.origin or model.file).parent / anchors.file
    return replace(decoder, anchors=replace(anchors, file=_relative(file, there)))


def _relative(file: Path, there: Path) -> str:
    return os.path.relpath(resolved(file), there)
