"""Make cells into data on the client, and data into cells again on a host."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from harness.accuracy.dataset import Dataset, ImageEntry
from harness.bench.engines.inputs import N_IMAGES
from harness.bench.plan import Cell
from harness.cards import Model, ModelCard
from harness.delegates import Delegate, available_cores
from harness.farm.contents import Contents
from harness.farm.wire import File, Picture, Step, Subject
from harness.hashing import hash_file
from harness.paths import is_file, size_of
from harness.schema import look_into
from harness.settings import Settings
from harness.tflite.model import ModelDescription, describe

look_into(ModelCard, Settings)


class Catalog:
    """The files of this computer that a run needs on the hosts, by hash.

    Each is hashed once: a run measures its files as they were when it began. A host refuses one that was changed
    meanwhile.
    """

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}
        self._known: dict[Path, File] = {}

    def add(self, path: Path) -> File:
        """Return a file with its hash, which is computed once.

        Raises:
            OSError: It cannot be read.
        """
        if path not in self._known:
            self._known[path] = File(sha256=hash_file(path), size=size_of(path), name=path.name)
        file = self._known[path]
        self.paths.setdefault(file.sha256, path)
        return file


def make_subject(cell: Cell, catalog: Catalog, images: Sequence[ImageEntry] | None) -> Subject:
    """Turn a cell into data.

    Args:
        cell: The cell.
        catalog: The files are added to it.
        images: The images that the step needs; None for a cell without a dataset.
    """
    anchors = cell.model.card.decoder.anchors
    beside = [] if anchors is None or anchors.file is None else [cell.model.file.parent / anchors.file]
    library = cell.delegate.option("path")
    return Subject(
        model=catalog.add(cell.model.file),
        card=_card_facts(cell.model.card),
        delegate=cell.delegate.kind,
        settings=_settings_facts(cell.settings),
        threads=cell.delegate.threads,
        options=cell.delegate.options,
        beside=tuple(catalog.add(path) for path in beside if is_file(path)),
        library=catalog.add(Path(library)) if library and is_file(library) else None,
        pictures=None if images is None else tuple(_picture(entry, catalog) for entry in images),
    )


def _card_facts(card: ModelCard) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(card)
    return facts


@lru_cache(maxsize=256)
def _settings_facts(settings: Settings) -> dict[str, Any]:
    return asdict(settings)


def _picture(entry: ImageEntry, catalog: Catalog) -> Picture:
    return Picture(
        id=entry.id,
        file=catalog.add(entry.path),
        width=entry.width,
        height=entry.height,
        as_stored=entry.as_stored,
    )


def images_for_timing(cell: Cell) -> tuple[ImageEntry, ...] | None:
    """Return the images that `prepare_inputs` takes its inputs from, so that only they are sent.

    It goes through a dataset with a stride and stops when it has enough; in the returned images it finds the same ones
    with a stride of 1.
    """
    if cell.dataset is None:
        return None
    stride = max(1, len(cell.dataset.images) // N_IMAGES)
    return cell.dataset.images[::stride][: 2 * N_IMAGES - 1]


def make_cell(step: Step, contents: Contents) -> Cell:
    """Make the cell of a step whose files are on this host."""
    subject = step.subject
    model = _model(subject, contents)
    options = subject.options
    if subject.library is not None:
        path = str(contents.place(subject.library))
        options = tuple((key, path if key == "path" else value) for key, value in options)
    settings = msgspec.convert({**subject.settings, "cores": available_cores()}, Settings)
    return Cell(
        index=1,
        model=model,
        facts=replace(_described(model.file), path=model.file),
        device=step.device,
        delegate=Delegate(subject.delegate, subject.threads, options),
        settings=settings,
        dataset=None if subject.pictures is None else _dataset(subject.pictures, contents),
    )


@lru_cache(maxsize=64)
def _described(file: Path) -> ModelDescription:
    """Describe a model once: a path of `Contents` names a content, so a description stays true."""
    return describe(file)


def _model(subject: Subject, contents: Contents) -> Model:
    card = msgspec.convert(subject.card, ModelCard)
    if not subject.beside:
        return Model(card, contents.place(subject.model))
    placed = contents.bundle((subject.model, *subject.beside))
    return Model(card, placed)


def _dataset(pictures: Sequence[Picture], contents: Contents) -> Dataset:
    """Return the images as a dataset without annotations: the figures are computed on the client.

    The hash of the list takes the place of the annotations' path, which identifies prepared inputs.
    """
    listing = hashlib.sha256(msgspec.msgpack.encode(pictures)).hexdigest()
    images = tuple(
        ImageEntry(
            picture.id,
            contents.place(picture.file),
            picture.width,
            picture.height,
            as_stored=picture.as_stored,
        )
        for picture in pictures
    )
    return Dataset("farm", Path(listing), contents.root, listing, images, {}, 0)


def folder_name(text: str) -> str:
    """Return a run's id as a folder's name."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
