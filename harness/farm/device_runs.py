"""Each device's part of a run: serial on its device, in a thread beside those of the other devices.

A device first measures the cells planned for it, interleaved as on one computer; then it takes cells for any device of
its kind, one after another, and helps with the images of others' cells when none is left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from harness import atomic, units
from harness.bench.cell_record import new_record
from harness.bench.observer import Observer
from harness.bench.plan import Cell, Plan
from harness.bench.run import Runner
from harness.drivers.base import DeviceInfo
from harness.farm.engine import FarmEngine
from harness.farm.link import DeviceGoneError
from harness.farm.names import ANY
from harness.farm.shards import Job, Shards
from harness.farm.wire import Offer
from harness.records.records import Record
from harness.records.store import RunStore
from harness.vocabulary import Status

WAIT_S = 0.5


class WorkPool:
    """Work that no device owns: cells for any device of a kind, and shards of cells that others measure.

    Args:
        cells: Cells whose device is `any:KIND`.
        held: The device that measured a part of a cell, by the cell's id: only it may go on with the cell.
        stop: Ends all waiting.
    """

    def __init__(self, cells: Sequence[Cell], held: dict[str, str], stop: threading.Event) -> None:
        self._cells, self.held, self._stop = list(cells), held, stop
        self.news = threading.Condition()
        self.shards = Shards(self.news, stop)
        self._at_work = 0

    def take(self, offer: Offer) -> Cell | tuple[Job, int] | None:
        """Wait for work that a device may do, and return it; None when no more can come."""
        with self.news:
            while not self._stop.is_set():
                cell = next((cell for cell in self._cells if self._may_take(cell, offer)), None)
                if cell is not None:
                    self._cells.remove(cell)
                    self._at_work += 1
                    return cell
                shard = self.shards.take(offer)
                if shard is not None:
                    return shard
                if not self._at_work and not any(self._may_help(cell, offer) for cell in self._cells):
                    return None
                self.news.wait(WAIT_S)
            return None

    def _may_take(self, cell: Cell, offer: Offer) -> bool:
        return kind_of(cell) in offer.kinds and self.held.get(cell.id, offer.name) == offer.name

    def _may_help(self, cell: Cell, offer: Offer) -> bool:
        """Whether a device may take shards of a cell that waits for the device that began it."""
        return kind_of(cell) in offer.kinds

    def finish(self, cell: Cell, back: bool = False) -> None:
        """Note that a device is done with a cell, or gives it back for another device."""
        with self.news:
            self._at_work -= 1
            if back:
                self._cells.insert(0, cell)
            self.news.notify_all()

    def left(self) -> list[Cell]:
        """Return the cells that no device has taken."""
        with self.news:
            return list(self._cells)

    def left_without(self, offers: Sequence[Offer]) -> list[Cell]:
        """Return the cells that no device has taken, and that none of these devices may take."""
        return [cell for cell in self.left() if not any(self._may_take(cell, offer) for offer in offers)]

    def drop(self, cells: Sequence[Cell]) -> None:
        """Remove cells: nobody waits for a device for them any more."""
        with self.news:
            self._cells = [cell for cell in self._cells if cell not in cells]
            self.news.notify_all()


def kind_of(cell: Cell) -> str:
    """Return the kind of an `any:KIND` cell."""
    return cell.device.removeprefix(ANY)


@dataclass(frozen=True)
class DeviceStore(RunStore):
    """Store of a run with one scratch folder for all steps of a device: making one for each took as long as a step."""

    device: str = ""

    def make_scratch(self, name: str) -> Path:
        """Return an empty folder for one step."""
        folder = self.scratch / self.device
        atomic.make_folder(folder)
        if any(folder.iterdir()):
            return super().make_scratch(self.device)
        return folder


@dataclass
class DeviceRun:
    """One device's part of a run: what it measures, and where the records go.

    Attributes:
        engine: Measures on the device.
        plan: The cells planned for this very device.
        info: The device, for the records.
        pool: Where further work comes from.
        store: Where the records go.
        observer: Called with the progress.
        say: Called with what a user should know.
    """

    engine: FarmEngine
    plan: Plan
    info: DeviceInfo
    pool: WorkPool
    store: RunStore
    observer: Observer
    say: Callable[[str], None]
    stop: threading.Event
    error: BaseException | None = field(default=None, init=False)

    def start(self) -> threading.Thread:
        """Start measuring in a thread."""
        thread = threading.Thread(target=self._run, name=f"device-run-{self.info.name}", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            self._measure_own()
            self._take_others()
        except DeviceGoneError as error:
            self.say(str(error))
        except BaseException as error:
            self.error = error
            self.stop.set()
        finally:
            with self.pool.news:
                self.pool.shards.leave(self.info.name)

    def _measure_own(self) -> None:
        if not self.plan.cells:
            return
        self.engine.patient = True
        try:
            self._runner(self.plan).run(self.stop)
        except DeviceGoneError as error:
            give_up(self.plan.cells, self.store, self.info, str(error))
            raise

    def _take_others(self) -> None:
        while (work := self.pool.take(self.engine.offer)) is not None:
            if isinstance(work, Cell):
                self._measure_any(work)
            else:
                self.engine.patient = False
                self.pool.shards.help(self.engine, *work)

    def _measure_any(self, cell: Cell) -> None:
        """Measure a cell that any device may; where nothing was measured yet, another one may have it."""
        begun = self.store.load_record(cell.id)
        self.engine.patient = begun is not None and has_part(begun)
        back = False
        try:
            self._runner(Plan((cell,), self.plan.seed)).run(self.stop)
        except DeviceGoneError as error:
            begun = self.store.load_record(cell.id)
            back = begun is None or not has_part(begun)
            if not back:
                give_up([cell], self.store, self.info, str(error))
            raise
        finally:
            self.pool.finish(cell, back)

    def _runner(self, plan: Plan) -> Runner:
        return Runner(plan, self.engine, self.info, self.store, self.observer)


def has_part(record: Record) -> bool:
    """Whether something of a cell was measured."""
    return bool(record.processes) or record.accuracy is not None


def give_up(cells: Sequence[Cell], store: RunStore, info: DeviceInfo, reason: str) -> int:
    """Record the cells that are not complete as skipped, with the reason; what was measured of them is kept.

    Returns:
        How many they are.
    """
    n_given_up = 0
    for cell in cells:
        record = store.load_record(cell.id) or new_record(cell, info, store.run_id)
        if record.complete:
            continue
        n_given_up += 1
        measured = len(record.processes)
        kept = f"; {units.count(measured)} process(es) of it are kept" if measured else ""
        reasons = (f"{reason}{kept}; --resume goes on with it",)
        store.save_record(replace(record, status=Status.SKIPPED, reasons=reasons))
    return n_given_up
