"""Divide the images of one cell among several devices of one kind and build, and merge their detections.

Each image is inferred by itself, so the detections, and with them every figure, are those of one device to the last
digit, as long as the devices are alike. Devices that are not are refused (law 6), and the results are checked again.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from harness import atomic
from harness.accuracy.dataset import ImageEntry
from harness.bench.engines.base import DatasetInference, OnProgress
from harness.bench.plan import Cell
from harness.errors import HarnessError, IncomparableError, MeasurementError
from harness.farm.names import ANY
from harness.farm.wire import Inferences, Offer

MIN_IMAGES = 32
"""A shard of fewer images is not worth the start of a process."""
FIRST_ROUND = 0.75
"""Share of the images in the first round of shards; the second round balances devices of unequal speed."""
WAIT_S = 0.5

Build = tuple[tuple[str, str], ...]


def build_of(offer: Offer) -> Build:
    """Return the facts that devices must share for their detections to be equal, as (key, value)."""
    info = offer.info
    facts = {"kind": info.kind, "soc": info.soc, "os": info.os, "abi": info.abi}
    if not info.on_host:
        facts["model"] = info.model
    facts.update({key: str(info.facts[key]) for key in ("build", "fingerprint") if key in info.facts})
    return tuple(sorted((key, str(value)) for key, value in facts.items()))


def difference(first: Offer, second: Offer) -> IncomparableError | None:
    """Return the error for two devices that are not alike: the first key that differs and both values."""
    there = dict(build_of(second))
    for key, value in build_of(first):
        if there.get(key) != value:
            what = f"devices ({first.name} and {second.name})"
            return IncomparableError(f"device.{key}", value, there.get(key), what)
    return None


def split(n_images: int, n_devices: int) -> list[range]:
    """Divide images into shards: a large one for each device, then a smaller one each."""
    if n_devices < 2 or n_images < 2 * MIN_IMAGES:
        return [range(n_images)]
    first = range(int(n_images * FIRST_ROUND))
    rest = range(len(first), n_images)
    shards = []
    for whole in (first, rest):
        parts = max(1, min(n_devices, len(whole) // MIN_IMAGES))
        bounds = [whole.start + len(whole) * i // parts for i in range(parts + 1)]
        shards += [range(a, b) for a, b in itertools.pairwise(bounds)]
    return shards


def merge(parts: Sequence[bytes]) -> bytes:
    """Merge COCO result files, in order, into what one writer would have written."""
    inside = [part.strip()[1:-1].strip() for part in parts]
    rows = b",\n".join(part for part in inside if part)
    return b"[\n" + rows + b"\n]\n" if rows else b"[]\n"


class ShardEngine(Protocol):
    """A device of the farm that can run a cell over some of its images."""

    @property
    def offer(self) -> Offer:
        """The device."""

    def infer_part(self, cell: Cell, images: Sequence[ImageEntry]) -> Inferences:
        """Run a cell over some of its images, on this device."""


@dataclass
class Job:
    """The images of one cell, divided into shards."""

    cell: Cell
    owner: Offer
    shards: list[range]
    todo: list[int]
    found: dict[int, tuple[str, Inferences]] = field(default_factory=dict)
    error: HarnessError | None = None

    @property
    def complete(self) -> bool:
        """Whether every shard was measured."""
        return len(self.found) == len(self.shards)


class Shards:
    """The jobs of a run whose shards other devices may take.

    Args:
        news: Notified when there is a shard to take, or one was measured.
        stop: Ends all waiting.
    """

    def __init__(self, news: threading.Condition, stop: threading.Event) -> None:
        self._news, self._stop = news, stop
        self._jobs: list[Job] = []
        self._at_work: dict[str, Offer] = {}

    def join(self, offers: Iterable[Offer]) -> None:
        """Count devices as at work; called with the condition held."""
        self._at_work.update({offer.name: offer for offer in offers})

    def leave(self, device: str) -> None:
        """Count a device as at work no more; called with the condition held."""
        self._at_work.pop(device, None)
        self._news.notify_all()

    def infer(
        self, engine: ShardEngine, cell: Cell, scratch: Path, on_progress: OnProgress
    ) -> DatasetInference:
        """Run a cell over its images on a device; where any device of a kind may, others take shards.

        Raises:
            MeasurementError: A device failed on its shard.
            IncomparableError: Shards were measured by different runtimes or delegates.
        """
        assert cell.dataset is not None
        images = cell.dataset.images
        helpers = self._count_alike(engine.offer) if cell.device.startswith(ANY) else 1
        job = Job(cell, engine.offer, split(len(images), helpers), [])
        job.todo = list(range(len(job.shards)))
        with self._news:
            self._jobs.append(job)
            self._news.notify_all()
        try:
            self._run_shards(engine, job, on_progress)
        finally:
            with self._news:
                self._jobs.remove(job)
                self._news.notify_all()
        return self._merge_shards(job, scratch)

    def _count_alike(self, offer: Offer) -> int:
        build = build_of(offer)
        with self._news:
            return sum(build_of(other) == build for other in self._at_work.values())

    def _run_shards(self, engine: ShardEngine, job: Job, on_progress: OnProgress) -> None:
        """Measure shards until all are there; one whose device was lost is offered again."""
        assert job.cell.dataset is not None
        while True:
            with self._news:
                while not job.todo and not job.complete and job.error is None and not self._stop.is_set():
                    self._news.wait(WAIT_S)
                if job.error is not None:
                    raise job.error
                if self._stop.is_set():
                    raise MeasurementError("the run was ended")
                if job.complete:
                    return
                number = job.todo.pop(0)
            self._run_shard(engine, job, number)
            done = sum(len(job.shards[n]) for n in list(job.found))
            on_progress(done, len(job.cell.dataset.images))

    def _run_shard(self, engine: ShardEngine, job: Job, number: int) -> None:
        assert job.cell.dataset is not None
        part = job.shards[number]
        try:
            found = engine.infer_part(job.cell, job.cell.dataset.images[part.start : part.stop])
        except HarnessError as error:
            with self._news:
                job.error = job.error or error
                self._news.notify_all()
            raise
        except BaseException:  # the device is gone: somebody else may take it
            with self._news:
                job.todo.insert(0, number)
                self._news.notify_all()
            raise
        with self._news:
            job.found[number] = (engine.offer.name, found)
            self._news.notify_all()

    def take(self, offer: Offer) -> tuple[Job, int] | None:
        """Take a shard that a device may help with; called with the condition held."""
        for job in self._jobs:
            open_ = job.todo and job.error is None and job.cell.device.startswith(ANY)
            if open_ and difference(job.owner, offer) is None:
                return job, job.todo.pop(0)
        return None

    def help(self, engine: ShardEngine, job: Job, number: int) -> None:
        """Measure a shard that was taken; an error is the job's."""
        try:
            self._run_shard(engine, job, number)
        except HarnessError:
            return

    def _merge_shards(self, job: Job, scratch: Path) -> DatasetInference:
        parts = [job.found[number] for number in range(len(job.shards))]
        refuse_unlike(parts)
        path = scratch / "detections.json"
        atomic.write_bytes(path, merge([found.detections for _, found in parts]))
        first = parts[0][1]
        delegate = first.delegate
        if len(parts) > 1:
            shared = f"accuracy was shared out: {_shares(parts)}"
            delegate = msgspec.structs.replace(delegate, evidence=(*delegate.evidence, shared))
        return DatasetInference(
            detections=path,
            n_images=sum(found.n_images for _, found in parts),
            unreadable=tuple(text for _, found in parts for text in found.unreadable),
            # The sum over devices, not wall-clock time: the row says how fast one device is.
            seconds=sum(found.seconds for _, found in parts),
            delegate=delegate,
            runtime=first.runtime,
            unreadable_ids=tuple(number for _, found in parts for number in found.unreadable_ids),
            remark="; ".join(dict.fromkeys(found.remark for _, found in parts if found.remark)) or None,
        )


def refuse_unlike(parts: Sequence[tuple[str, Inferences]]) -> None:
    """Refuse to put together what hosts inferred in different ways.

    Raises:
        IncomparableError: Two hosts used another delegate or runtime; both are named.
    """
    (first_name, first), *others = parts
    for name, other in others:
        for key, one, two in (
            ("runtime", first.runtime, other.runtime),
            ("delegate_actual", first.delegate.actual, other.delegate.actual),
            ("delegated_nodes", first.delegate.delegated_nodes, other.delegate.delegated_nodes),
            ("total_nodes", first.delegate.total_nodes, other.delegate.total_nodes),
        ):
            if one != two:
                raise IncomparableError(key, one, two, f"detections ({first_name}'s and {name}'s)")


def _shares(parts: Sequence[tuple[str, Inferences]]) -> str:
    shares: dict[str, int] = {}
    for name, found in parts:
        shares[name] = shares.get(name, 0) + found.n_images
    return ", ".join(f"{name} {n} images" for name, n in shares.items())
