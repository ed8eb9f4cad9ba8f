"""Models of a request that are there and cannot be measured: each costs itself, where others can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from harness.cards import NO_DECODER, DecoderSpec, InputSpec, Model, ModelCard, Source
from harness.errors import ModelError, blamed_on_model
from harness.names import safe_name
from harness.paths import expand_user, is_file
from harness.recognize.find import MODEL_SUFFIXES, split_name
from harness.tflite.model import ModelDescription, absent, unread


class OddModels:
    """What is wrong with which model.

    Args:
        absent_too: Whether a model whose file is not there costs itself, too: of a plan that is only looked at.

    Attributes:
        problems: Why a model cannot be measured, by its name.
    """

    def __init__(self, *, absent_too: bool = False) -> None:
        self.problems: dict[str, str] = {}
        self._absent_too = absent_too
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
            given, text = split_name(name)
            path = expand_user(text)
            if path.suffix == ".toml" or not (is_file(path) or self._may_come(path)):
                raise
            self._unread[path] = error
            return _stand_in(path) if given is None else _stand_in(path).named(given)

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
            if not (model.available or self._absent_too):
                raise
            self._note(model, error)
        return unread(model.file) if model.available else absent(model.file)

    def _may_come(self, path: Path) -> bool:
        """Whether a file that is not there is a model that is still to be made."""
        return self._absent_too and path.suffix in MODEL_SUFFIXES

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
