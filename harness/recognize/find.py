"""Find the model that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cards import Model, list_cards, load_card
from harness.errors import ModelError, UnknownNameError, UsageError
from harness.names import safe_name
from harness.paths import exists, expand_user, is_file
from harness.recognize.exports import export_hint
from harness.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from harness.accuracy.image_files import ImageFile

MODEL_SUFFIXES = frozenset({".tflite", ".lite", ".task"})
"""How the files of models end."""


def find_model(text: str, workspace: Workspace, pictures: Sequence[ImageFile | Path] = ()) -> Model:
    """Find the model that a user names: by a card's name, a card's path, or a bare .tflite; NAME= before it renames it.

    Args:
        text: The user's text.
        workspace: Holds the cards.
        pictures: Pictures to observe a bare model's outputs on where its file leaves something open.

    Raises:
        ModelError: A path that does not exist, or a file that is not a model.
        UnknownNameError: No card of that name; near misses are listed.
        SchemaError: The card does not fit the schema.
    """
    path = expand_user(text)
    name, rest = (None, text) if is_file(path) else split_name(text)
    if name is not None:
        return find_model(rest, workspace, pictures).named(name)
    if path.suffix == ".toml":
        return load_card(path)
    _refuse_other_kinds(path)
    if path.suffix in MODEL_SUFFIXES or is_file(path):
        if not is_file(path):
            raise ModelError(f"{path}: no such model file")
        if path.suffix == ".task":
            from harness.recognize.bundle import unpack

            path = unpack(path)
        from harness.recognize.card import infer_card

        return infer_card(path, pictures)
    direct = workspace.models / f"{text}.toml"
    if Path(text).name == text and is_file(direct):
        return load_card(direct)
    names = {model.name: model for model in list_cards(workspace)}
    if text in names:
        return names[text]
    raise UnknownNameError("model", text, names, hint="Give a card's name, a card's path or a .tflite file.")


def _refuse_other_kinds(path: Path) -> None:
    """Say how what is no .tflite becomes one.

    Raises:
        ModelError: It is a model of another kind.
    """
    hint = export_hint(path)
    if hint:
        raise ModelError(
            f"{path}: {hint if exists(path) else f'no such file; by its name it would be {hint}'}"
        )


def split_name(text: str) -> tuple[str | None, str]:
    """Split `NAME=FILE`; the name is None where the text has none.

    Raises:
        UsageError: The name would need quoting somewhere.
    """
    name, equals, file = text.partition("=")
    if not equals or "/" in name:  # a path may hold an equals sign
        return None, text
    if safe_name(name) != name or not file:
        raise UsageError(
            f"{text!r}: expected NAME=FILE, with a name of letters, digits, dots, underscores and hyphens"
        )
    return name, file


def find_available(text: str, workspace: Workspace) -> Model:
    """Find a model whose file is on this computer.

    Raises:
        ModelError: Its file is not here; says how to get it.
        UnknownNameError: No card of that name.
    """
    model = find_model(text, workspace)
    if not model.available:
        raise ModelError(f"model {model.name!r}: {model.why_missing}")
    return model


def find_converted(text: str, workspace: str | Path | None) -> Path:
    """Return the file that a user means, as `find_file`; of a card that says for what it is compiled, what is to be.

    Raises:
        ModelError: There is no such file, or the card's file is not on this computer.
        UnknownNameError: No card of that name.
    """
    path = expand_user(text)
    if path.suffix != ".toml" and (path.suffix in MODEL_SUFFIXES or exists(path)):
        return find_file(text, workspace)
    model = find_model(text, find_workspace(workspace))
    compiles = model.card.source.compiled_for is not None and is_file(model.converted)
    return model.converted if compiles else find_file(text, workspace)


def find_file(text: str, workspace: str | Path | None) -> Path:
    """Return the file that a user means: a path, or what a card speaks of.

    Raises:
        ModelError: There is no such file, or the card's file is not on this computer.
        UnknownNameError: No card of that name.
    """
    path = expand_user(text)
    _refuse_other_kinds(path)
    if path.suffix != ".toml" and (path.suffix in {".tflite", ".lite"} or exists(path)):
        return path
    model = find_model(text, find_workspace(workspace))
    if not model.available:
        raise ModelError(f"{model.name}: {model.why_missing}")
    return model.file
