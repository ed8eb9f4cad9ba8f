"""The base of a run that measures two sides in turn (`--against`): its models, and which is held against which.

A base is a model, which every model of the run is held against, or a plan, whose models are held against those of the
same name. How they are measured is what the run says, for both: device, delegates, images and settings. A base whose
name a model of the run has too is called `base-NAME`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.accuracy.image_files import ImageFile
from harness.bench.plan_file import is_plan, load_plan
from harness.cards import Model
from harness.errors import UsageError
from harness.paths import expand_user
from harness.recognize.find import find_model
from harness.workspace import Workspace, enclosing_workspace

REPETITIONS = 10
"""Processes a cell where no number is asked for: with 10 rounds, one changed cell of 20 can be told from chance."""
MIN_SECONDS = 2.0
"""Seconds of steady inferences a cell, so that each of them is watched as long as in other runs."""


@dataclass(frozen=True)
class Base:
    """The base of a run.

    Attributes:
        models: Its models, under names that no model of the run has.
        of: Which of them each model of the run is held against, by its name; some have none.
        remarks: Sentences on what has no counterpart.
    """

    models: tuple[Model, ...] = ()
    of: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def around(self, models: Sequence[Model]) -> list[Model]:
        """Return all models to measure, each of the base in front of the first that is held against it."""
        waiting = {model.name: model for model in self.models}
        found: list[Model] = []
        for model in models:
            base = waiting.pop(self.of.get(model.name, ""), None)
            found += [model] if base is None else [base, model]
        return found

    def counterpart(self, model: str) -> str | None:
        """Return the model of the base that a model is held against."""
        return self.of.get(model)

    def stands_for(self, model: str) -> str | None:
        """Return the model of the run whose rules of the plan hold for one of the base."""
        return next((new for new, base in self.of.items() if base == model), None)


def find_base(
    text: str, models: Sequence[Model], workspace: Workspace, pictures: Sequence[ImageFile]
) -> Base:
    """Find the base that a user names.

    Args:
        text: A model as `find_model` takes it, or a plan, whose models are looked for around it.
        models: The models of the run.
        workspace: Holds the cards.
        pictures: Pictures to observe a bare model's outputs on.

    Raises:
        UsageError: No such model or plan, or no model of the plan has the name of one of the run.
    """
    path = Path(expand_user(text))
    if not is_plan(path):
        base = _renamed(find_model(text, workspace, pictures), models)
        return Base((base,), {model.name: base.name for model in models})
    home = enclosing_workspace(path) or workspace
    return _by_name([find_model(name, home, pictures) for name in load_plan(path).models], models, text)


def _by_name(bases: Sequence[Model], models: Sequence[Model], text: str) -> Base:
    """Hold models of one name against each other; two that are alone, whatever they are called."""
    if len(bases) == len(models) == 1:
        pairs = [(bases[0], models[0])]
    else:
        known = {model.name: model for model in models}
        pairs = [(base, known[base.name]) for base in bases if base.name in known]
    if not pairs:
        raise UsageError(
            f"--against {text}: none of its models ({_names(bases)}) has the name of one to measure ({_names(models)})"
        )
    taken = [{model.name for model in side} for side in zip(*pairs, strict=True)]
    alone = [model.name for model in models if model.name not in taken[1]]
    left = [base.name for base in bases if base.name not in taken[0]]
    remarks = [f"{name} is not in the base: it is measured, and compared with nothing" for name in alone]
    remarks += [f"{name} is in the base only: it is not measured" for name in left]
    named = [(_renamed(base, models), model) for base, model in pairs]
    return Base(
        tuple(base for base, _ in named), {model.name: base.name for base, model in named}, tuple(remarks)
    )


def _renamed(base: Model, models: Iterable[Model]) -> Model:
    return base.named(f"base-{base.name}") if base.name in {model.name for model in models} else base


def _names(models: Iterable[Model]) -> str:
    return ", ".join(model.name for model in models)
