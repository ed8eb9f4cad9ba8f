"""Models of a request that are there and cannot be measured: each costs itself, where others can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from harness.cards import DecoderSpec, InputSpec, Model, ModelCard, Source
from harness.errors import ModelError, blamed_on_model
from harness.names import safe_name
from harness.paths import expand_user, is_file
from harness.recognize.card import NO_DECODER
from harness.tflite.model import ModelDescription, unread


class OddModels:
    """What is wrong with which model.

    Attributes:
        problems: Why a model cannot be measured, by its name.
    """

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self._errors: list[ModelError] = []
        self._unread: dict[Path, ModelError] = {}

    def asked(self, name: str, find: Callable[[str], Model]) -> Model:
        """Find a model; a stand-in for a file that is there and cannot be read as one.

        Raises:
            ModelError: There is no such file, or the card is wrong: that is wrong use.
        """
        try:
            with blamed_on_model(f"{name}: cannot be read as a model"):
                return find(name)
        except ModelError as error:
            path = expand_user(name)
            if path.suffix == ".toml" or not is_file(path):
                raise
            self._unread[path] = error
            return _stand_in(path)

    def described(self, model: Model, describe: Callable[[Model], ModelDescription]) -> ModelDescription:
        """Read a model's file; of one that cannot be read, only its hash and size.

        Raises:
            ModelError: The file is not on this computer: that is wrong use.
        """
        try:
            if model.file in self._unread:
                raise self._unread[model.file]
            with blamed_on_model(f"model {model.name!r} cannot be read"):
                return describe(model)
        except ModelError as error:
            if not model.available:
                raise
            self._note(model, error)
        return unread(model.file)

    @contextmanager
    def noted(self, model: Model) -> Iterator[None]:
        """Note what the block finds wrong with a model, and go on."""
        try:
            with blamed_on_model(f"model {model.name!r} cannot be used"):
                yield
        except ModelError as error:
            self._note(model, error)

    def refuse(self) -> NoReturn:
        """Refuse the request, because no model is left.

        Raises:
            ModelError: What is wrong with the first.
        """
        raise self._errors[0]

    def _note(self, model: Model, error: ModelError) -> None:
        self._errors.append(error)
        self.problems[model.name] = str(error)


def _stand_in(path: Path) -> Model:
    """Return a model for the name of a file that cannot be read as one."""
    card = ModelCard(
        name=safe_name(path.stem),
        source=Source(path=str(path)),
        input=InputSpec(width=1, height=1),
        decoder=DecoderSpec(name=NO_DECODER),
    )
    return Model(card, path)
