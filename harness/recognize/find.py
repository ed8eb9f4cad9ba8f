"""Find what a user means by MODEL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cards import Model, list_cards, load_card
from harness.errors import ModelError, UnknownNameError
from harness.workspace import Workspace, expand_user


def find_model(text: str, workspace: Workspace, pictures: Sequence[Path] = ()) -> Model:
    """Find what a user means by MODEL: a card's name, a card's path, or a bare .tflite.

    Args:
        text: As the user gives it.
        workspace: Where cards are.
        pictures: What a bare model's outputs are looked at for where its file leaves something open.

    Raises:
        ModelError: A path that does not exist, or a file that is not a model.
        UnknownNameError: No card of that name; near misses are listed.
        SchemaError: The card does not fit the schema.
    """
    path = expand_user(text)
    if path.suffix == ".toml":
        return load_card(path)
    if path.suffix in {".tflite", ".lite"} or path.is_file():
        if not path.is_file():
            raise ModelError(f"{path}: no such model file")
        from harness.recognize.card import infer_card

        return infer_card(path, pictures)
    direct = workspace.models / f"{text}.toml"
    if Path(text).name == text and direct.is_file():
        return load_card(direct)
    names = {model.name: model for model in list_cards(workspace)}
    if text in names:
        return names[text]
    raise UnknownNameError("model", text, names, hint="Give a card's name, a card's path or a .tflite file.")
