"""The models of a run and their data, found and read; what cannot be measured is refused before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.accuracy.classes import Choice, Matching, match_classes
from harness.accuracy.dataset import Dataset, find_dataset
from harness.accuracy.image_files import ImageFile
from harness.accuracy.prepare import Preparation
from harness.bench.against import Base, find_base
from harness.bench.nms_axis import expand
from harness.bench.odd_models import OddModels
from harness.bench.request import NmsAxes, Request
from harness.cards import NO_DECODER, Model, ResizeMethod
from harness.detectors.base import ModelContext
from harness.detectors.heads import check_names
from harness.detectors.registry import make_decoder
from harness.errors import DatasetError, HarnessError, ModelError, UnknownNameError, UsageError
from harness.fetch import verify
from harness.names import safe_name
from harness.paths import resolved
from harness.recognize.find import MODEL_SUFFIXES, find_model
from harness.recognize.model_classes import known_names, n_classes_of
from harness.tflite.graph import EDGETPU
from harness.tflite.model import ModelDescription, describe
from harness.tflite.runnable import RUNTIME_CUSTOM_OPERATORS, check_runnable
from harness.workspace import Workspace, bundled_workspace

EXAMPLE = ("shapes-float32", "shapes-float16", "shapes-dynamic-range", "shapes-full-integer")
"""What `harness run` measures when it is given nothing."""


@dataclass(frozen=True)
class Subject:
    """A model with all that is needed to measure it.

    Attributes:
        model: Its card, the labels of which say the data set's categories, and its file.
        facts: What the file really is.
        dataset: Its data; None for none.
        matching: How its classes were matched with the data set's; None without one.
        problem: Why it cannot be measured anywhere; None where it can.
        against: The model that it is measured in turn with and held against; None for none.
        stands_for: Of a base, the model whose rules of the plan hold for it too.
    """

    model: Model
    facts: ModelDescription
    dataset: Dataset | None
    matching: Matching | None = None
    problem: str | None = None
    against: str | None = None
    stands_for: str | None = None


def find_subjects(
    request: Request, workspace: Workspace, *, absent_too: bool = False
) -> tuple[list[Subject], list[str]]:
    """Find the models and their data; return them with remarks for the user.

    Args:
        request: What a user asks for.
        workspace: Holds the cards.
        absent_too: Whether models whose files are not there are subjects with that problem, instead of an error.

    Raises:
        UsageError: A model or dataset that cannot be used; says what and why.
    """
    known: dict[Path, Dataset] = {}
    request, no_data = _with_data(request, known) if absent_too else (request, [])
    pictures = _pictures(request, known)
    odd = OddModels(absent_too=absent_too)
    found = [odd.asked(name, lambda name: find_model(name, workspace, pictures)) for name in request.models]
    new = _told_apart(found or _example(workspace))
    base = Base() if request.against is None else find_base(request.against, new, workspace, pictures)
    models = [_resized(model, request.resize) for model in base.around(new)]
    _check_distinct(models)
    pairs = [(model, odd.described(model, _described)) for model in models]
    described, remarks = _with_nms([pair for pair in pairs if pair[0].name not in odd.problems], request.nms)
    subjects = []
    for model, facts in described:
        with odd.noted(model):
            subject, said = _subject(model, facts, request, known)
            subjects.append(subject)
            remarks += said
    if not (subjects or absent_too):
        odd.refuse()
    subjects += [
        Subject(model, facts, None, problem=odd.problems[model.name])
        for model, facts in {pair[0].name: pair for pair in (*pairs, *described)}.values()
        if model.name in odd.problems
    ]
    order = [model.name for model in models]
    subjects.sort(key=lambda subject: order.index(_without_axes(subject.model.name, order)))
    linked = [_linked(subject, base, order) for subject in subjects]
    if no_data:
        linked = [replace(subject, dataset=None) for subject in linked]
    return linked, list(dict.fromkeys((*no_data, *base.remarks, *remarks)))


def _with_data(request: Request, known: dict[Path, Dataset]) -> tuple[Request, list[str]]:
    """Return a request that is only looked at without a data set that is not there, and a remark on it."""
    if not request.dataset or not request.settings.accuracy:
        return request, []
    path = Path(request.dataset)
    try:
        known[path] = find_dataset(path, request.settings.limit)
    except DatasetError as error:
        without = replace(request, dataset=None, settings=replace(request.settings, accuracy=False))
        return without, [f"{error}; the cells are shown without accuracy"]
    return request, []


def _linked(subject: Subject, base: Base, names: Sequence[str]) -> Subject:
    """Return a subject with what it is held against, or stands for, under the same settings of NMS."""
    name = subject.model.name
    root = _without_axes(name, names)
    against, stands_for = (
        None if other is None else other + name[len(root) :]
        for other in (base.counterpart(root), base.stands_for(root))
    )
    return replace(subject, against=against, stands_for=stands_for)


def _without_axes(name: str, names: Sequence[str]) -> str:
    """Return which of the models a name belongs to, which may hold its settings of NMS."""
    return name if name in names else name.partition("[")[0]


def _subject(
    model: Model, facts: ModelDescription, request: Request, known: dict[Path, Dataset]
) -> tuple[Subject, list[str]]:
    """Return what is needed to measure a model, and what the user should know of it."""
    dataset = _dataset(model, request, known)
    problem = _why_no_accuracy(model, facts, dataset) if request.settings.accuracy else None
    if problem is not None and _contradicts(model, request):
        raise ModelError(problem)
    if problem is not None and not request.settings.latency:
        raise UsageError(problem)
    if problem is not None:
        return Subject(model, facts, None), [f"{problem}; only latency is measured"]
    remarks = [] if dataset is None else [f"{dataset.name}: {remark}" for remark in dataset.remarks]
    if dataset is None or not request.settings.accuracy:
        return Subject(model, facts, dataset), remarks
    return match_subject(model, facts, dataset, Choice(request.settings.classes)), remarks


def match_subject(model: Model, facts: ModelDescription, dataset: Dataset, choice: Choice) -> Subject:
    """Match a model's classes with the data set's; its card then says the data set's ids.

    Raises:
        ModelError: No class of the model is a category of the data set, or it is open which is which.
        UsageError: A chosen category that the data set does not have.
    """
    try:
        matching = match_classes(
            model.card.labels,
            known_names(model, facts),
            dataset.categories,
            choice,
            n_classes=n_classes_of(model, facts),
            annotated=dataset.annotated,
        )
    except ModelError as error:
        raise ModelError(f"model {model.name!r}: {error}") from error
    card = msgspec.structs.replace(model.card, labels=matching.labels)
    return Subject(replace(model, card=card), facts, dataset, matching)


def _pictures(request: Request, known: dict[Path, Dataset]) -> list[ImageFile]:
    """Return pictures to look at the outputs of a bare model for: the first ones that accuracy is measured on."""
    bare = [name for name in (*request.models, request.against or "") if Path(name).suffix in MODEL_SUFFIXES]
    if not request.dataset or not bare or not request.settings.accuracy:
        return []
    from harness.recognize.observe import N_PICTURES  # late: a card says what its outputs are

    path = Path(request.dataset)
    known[path] = find_dataset(path, request.settings.limit)
    return [image.file for image in known[path].images[:N_PICTURES]]


def _resized(model: Model, method: ResizeMethod | None) -> Model:
    """Return the model with another way to interpolate; None leaves the card's."""
    if method is None:
        return model
    card = msgspec.structs.replace(model.card, input=msgspec.structs.replace(model.card.input, method=method))
    words = f"input.method: {method}, by --resize."
    kept = tuple(sentence for sentence in model.evidence if not sentence.startswith("input.method:"))
    return replace(model, card=card, evidence=(*kept, words) if kept else ())


def _contradicts(model: Model, request: Request) -> bool:
    """Whether accuracy was asked for of a file whose outputs are no detections that are known."""
    return bool(request.dataset) and model.origin is None and model.card.decoder.name == NO_DECODER


def _dataset(model: Model, request: Request, known: dict[Path, Dataset]) -> Dataset | None:
    """Read a model's dataset, once for all models that share it."""
    path = Path(request.dataset) if request.dataset else model.dataset_path
    if path is None:
        return None
    if path not in known:
        known[path] = find_dataset(path, request.settings.limit)
    return known[path]


def _with_nms(
    described: list[tuple[Model, ModelDescription]], axes: NmsAxes
) -> tuple[list[tuple[Model, ModelDescription]], list[str]]:
    """Put every combination of NMS settings in the place of its model; return them with remarks."""
    if not axes:
        return described, []
    expanded, remarks = [], []
    for model, facts in described:
        variants, remark = expand(model, facts, axes)
        expanded += variants
        remarks += [remark] if remark else []
    _check_distinct([model for model, _ in expanded])
    return expanded, remarks


def _example(workspace: Workspace) -> list[Model]:
    """The bundled example: from the user's workspace where it is, else the copy that came with the program."""
    try:
        return [find_model(name, workspace) for name in EXAMPLE]
    except UnknownNameError:
        bundled = bundled_workspace()
        return [find_model(name, bundled) for name in EXAMPLE]


def _described(model: Model) -> ModelDescription:
    """Read the file and refuse what cannot run here.

    Raises:
        ModelError: It is not there, not a model, not the one the card speaks of, or has operators nobody knows.
    """
    if not model.available:
        raise ModelError(f"model {model.name!r}: {model.why_missing}")
    verify(model)
    facts = describe(model.file)
    check_runnable(facts, RUNTIME_CUSTOM_OPERATORS | {EDGETPU})
    return facts


def _told_apart(models: list[Model]) -> list[Model]:
    """Give files of one name, as `best.tflite` of several trainings, the names of their nearest folders that differ."""
    found = []
    for model in models:
        alike = {
            resolved(other.file) for other in models if other.name == model.name and other.origin is None
        }
        if model.origin is not None or len(alike) < 2:
            found.append(model)
            continue
        folders = [path.parts[-2::-1] for path in alike]
        depth = next(
            (n for n, names in enumerate(zip(*folders, strict=False)) if len(set(names)) == len(names)), None
        )
        parts = resolved(model.file).parts[-2::-1]
        found.append(model if depth is None else model.named(safe_name(f"{parts[depth]}-{model.name}")))
    return found


def _check_distinct(models: Iterable[Model]) -> None:
    """Two models of one name could not be told apart in a table."""
    seen: dict[str, Path] = {}
    for model in models:
        if model.name in seen:
            raise UsageError(
                f"two models are called {model.name!r}: {seen[model.name]} and {model.file}; name one with NAME=FILE"
            )
        seen[model.name] = model.file


def _of_outputs(sentence: str) -> bool:
    """Whether a sentence of the evidence speaks of why the outputs cannot be decoded."""
    return not sentence.startswith(("input.", "labels:")) and " is an image as " not in sentence


def _why_no_accuracy(model: Model, facts: ModelDescription, dataset: Dataset | None) -> str | None:
    """Return why a model's accuracy cannot be measured; None when it can.

    Raises:
        ModelError: The card and the file do not fit together.
    """
    if dataset is None:
        return f"model {model.name!r} has no dataset (give one with --dataset)"
    if model.card.decoder.name == NO_DECODER:
        evidence = " ".join(filter(_of_outputs, model.evidence)) or "its card names no decoder"
        return f"model {model.name!r}: its outputs cannot be decoded ({evidence})"
    try:
        Preparation(model.card.input, facts.image_input)
        context = ModelContext(model.card.input.width, model.card.input.height, model.file)
        decoder = make_decoder(model.card.decoder, facts.outputs, context)
        check_names(model.card, decoder, facts.stated.names)
    except HarnessError as error:
        raise ModelError(f"model {model.name!r}: {error}") from error
    return None
