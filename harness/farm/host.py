"""A host of a farm: offer the devices attached to it and perform steps on them, one at a time on each."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import atomic
from harness.bench.engines import prepared
from harness.bench.engines.base import Engine
from harness.bench.engines.worker_process import workers_ready
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.drivers.base import Device
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, DeviceLostError, HarnessError, MeasurementError, is_host_fault
from harness.farm import cells
from harness.farm.attached import AttachedDevice, DeviceFinder
from harness.farm.contents import Contents
from harness.farm.kept_results import KeptResults
from harness.farm.wire import (
    HostDescription,
    Inferences,
    Operators,
    Outcome,
    Result,
    Step,
    decode,
    encode,
    refuse_other_version,
)
from harness.records.samples import to_bytes
from harness.vocabulary import Status
from harness.worker.jobs import AccuracyJob

_LOG = logging.getLogger(__name__)
_COMPRESSION = 1
"""zlib's fastest: detections shrink to a fifth."""


class Host:
    """A host, apart from Dask.

    Args:
        name: The host's name on the farm.
        finder: Finds and opens the devices.
        folder: Holds files, kept results and scratch folders.
    """

    def __init__(self, name: str, finder: DeviceFinder, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._finder = finder
        self.contents, self.kept_results = Contents(folder), KeptResults(folder / "spool")
        self._scratch = folder / "scratch"
        self._attached: dict[str, AttachedDevice] = {}
        self._stations: dict[str, Station] = {}
        self._ready: dict[str, ExitStack] = {}
        self._while_serving, self._is_ready = ExitStack(), False
        self._engines: dict[str, tuple[object, Engine]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._under_way: dict[str, Future[bytes]] = {}
        self._guard = threading.Lock()

    def refresh(self) -> dict[str, float]:
        """Find the devices that are attached now, and return the resources that this host offers."""
        with self._guard:
            known = dict(self._attached)
        busy = {device for device in known if self._lock(device).locked()}
        found = self._finder.find_attached(known, busy)
        with self._guard:
            # A device that a step lost meanwhile stays away until the next refresh finds it.
            self._attached = {k: v for k, v in found.items() if k not in known or k in self._attached}
            return self._resources()

    def get_ready(self) -> None:
        """Load what workers need, for as long as this host serves, where this computer is among its devices.

        It is loaded when this returns: loading would disturb what is measured.
        """
        with self._guard:
            offered = any(each.profile.data.connection.is_computer for each in self._attached.values())
        if offered and not self._is_ready:
            self._while_serving.enter_context(workers_ready([LocalDevice()]))
            prepared.load(AccuracyJob.kind)
            self._is_ready = True

    def close(self) -> None:
        """End what was made ready."""
        self._while_serving.close()

    def _resources(self) -> dict[str, float]:
        resources: dict[str, float] = {}
        for attached in self._attached.values():
            for name, amount in attached.offer.resources().items():
                resources[name] = resources.get(name, 0.0) + amount
        return resources

    def describe(self) -> bytes:
        """Return a `HostDescription`: the devices that are attached now."""
        with self._guard:
            offers = tuple(attached.offer for attached in self._attached.values())
        return encode(HostDescription(host=self.name, offers=offers))

    def perform(self, data: bytes) -> bytes:
        """Perform a `Step` and return its `Result`.

        The same step is never measured twice: one that is under way is waited for, and one whose result is kept is
        answered with it.
        """
        try:
            refuse_other_version(data, f"host {self.name}")
        except HarnessError as error:
            return encode(Result(key="", outcome=Outcome.REFUSED, host=self.name, message=str(error)))
        step = decode(data, Step)
        self.kept_results.drop(step.run, step.done)
        with self._guard:
            other = self._under_way.get(step.key)
            mine: Future[bytes] = self._under_way.setdefault(step.key, Future())
        if other is not None:
            return other.result()
        try:
            result = self.kept_results.find(step.run, step.key) or self._perform_new(step)
            mine.set_result(result)
            return result
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._guard:
                del self._under_way[step.key]

    def _perform_new(self, step: Step) -> bytes:
        missing = self.contents.missing(step.files())
        if missing:
            cache = self.contents.identity
            return encode(self._result(step, Outcome.MISSING, missing=missing, cache=cache))
        with self._lock(step.device):
            attached = self._attached.get(step.device)
            if attached is None:
                return encode(self._result(step, Outcome.ABSENT, message=f"not attached to {self.name}"))
            result = self._measure_or_fail(step, attached)
        data = encode(result)
        if result.outcome in {Outcome.DONE, Outcome.FAILED}:
            self.kept_results.keep(step.run, step.key, data)
        return data

    def _lock(self, device: str) -> threading.Lock:
        """Return a device's lock; all profiles of this computer share one, because they are one processor."""
        with self._guard:
            attached = self._attached.get(device)
            whole = attached is not None and attached.profile.data.connection.is_computer
            return self._locks.setdefault("local" if whole else device, threading.Lock())

    def _measure_or_fail(self, step: Step, attached: AttachedDevice) -> Result:
        """Measure a step, and return an error as a result of its kind."""
        try:
            return self._measure(step, self._station(attached))
        except DeviceLostError as error:
            self._lose(step.device)
            return self._failure(step, Outcome.LOST, error)
        except DeviceError as error:
            self._close(step.device)
            return self._failure(step, Outcome.DEVICE, error)
        except (HarnessError, OSError) as error:
            own = is_host_fault(error)  # of this host, and no verdict on the cell
            return self._failure(step, Outcome.DEVICE if own else Outcome.FAILED, error)

    def _failure(self, step: Step, outcome: Outcome, error: Exception) -> Result:
        status = error.status if isinstance(error, MeasurementError) else Status.FAILED
        name = error.device if isinstance(error, DeviceError) else ""
        return self._result(step, outcome, message=str(error).removeprefix(f"{name}: "), status=status)

    def _result(self, step: Step, outcome: Outcome, **facts: Any) -> Result:
        return Result(key=step.key, outcome=outcome, host=self.name, **facts)

    def _measure(self, step: Step, station: Station) -> Result:
        engine = self._engine(step, station)
        cell = cells.make_cell(step, self.contents)
        with self._scratch_of(step) as scratch:
            if step.what == "time":
                timed = engine.time(cell, step.repetition, scratch)
                samples = None if timed.samples is None else to_bytes(timed.samples)
                return self._result(step, Outcome.DONE, process=timed.facts, samples=samples)
            if step.what == "operators":
                profiled = engine.operators(cell, scratch)
                found_operators = Operators(
                    operators=profiled.operators, runtime=profiled.runtime, n_inferences=profiled.n_inferences
                )
                return self._result(step, Outcome.DONE, operators=found_operators)
            if step.what == "check":
                return self._result(step, Outcome.DONE, check=engine.check(cell, scratch))
            found = engine.infer(cell, scratch, lambda done, of: None)
            packed = zlib.compress(found.detections.read_bytes(), _COMPRESSION)
            inferences = Inferences(
                detections=packed,
                n_images=found.n_images,
                unreadable=found.unreadable,
                seconds=found.seconds,
                delegate=found.delegate,
                runtime=found.runtime,
                unreadable_ids=found.unreadable_ids,
                remark=found.remark,
            )
            return self._result(step, Outcome.DONE, inferences=inferences)

    @contextmanager
    def _scratch_of(self, step: Step) -> Iterator[Path]:
        """Yield an empty folder for one step; its parent is shared by all steps of the run."""
        run = self._scratch / cells.folder_name(step.run)
        scratch = run / cells.folder_name(step.device)
        atomic.make_folder(scratch)
        try:
            yield scratch
        finally:
            if os.listdir(scratch):  # noqa: PTH208 - making and removing a folder costs more than many a step
                shutil.rmtree(scratch, ignore_errors=True)

    def _station(self, attached: AttachedDevice) -> Station:
        """Open a device once, and keep it open, with what its workers need, from step to step."""
        name = attached.offer.name
        if name not in self._stations:
            device: Device = self._finder.open(attached)
            info = replace(attached.offer.info, kind=attached.profile.data.connection.kind)
            ready = self._ready.setdefault(name, ExitStack())
            ready.enter_context(workers_ready([device]))
            self._stations[name] = Station(attached.profile, device, info)
        return self._stations[name]

    def _engine(self, step: Step, station: Station) -> Engine:
        """Return the engine of a device, made once for the same tools, so that a tool is probed once."""
        known = self._engines.get(step.device)
        if known is not None and known[0] == step.tools:
            return known[1]
        tools = step.tools
        request = Request(
            benchmark_binary=str(self.contents.bundle(tools.benchmark)) if tools.benchmark else None,
            eval_binary=str(self.contents.bundle(tools.evaluation)) if tools.evaluation else None,
            cpu_mask=tools.cpu_mask,
            max_start_temp=tools.max_start_temp,
        )
        engine = self._finder.engine(station, request)
        self._engines[step.device] = (tools, engine)
        return engine

    def _lose(self, device: str) -> None:
        """Take back the offer of a device that went away, until the next refresh finds it."""
        with self._guard:
            self._attached.pop(device, None)
        self._close(device)

    def _close(self, device: str) -> None:
        self._engines.pop(device, None)
        station = self._stations.pop(device, None)
        if station is not None:
            self._ready.pop(device, ExitStack()).close()
            station.device.close()

    def forget(self, run: str) -> None:
        """Drop what is kept of a run, and close the devices that are idle."""
        self.kept_results.forget(run)
        shutil.rmtree(self._scratch / cells.folder_name(run), ignore_errors=True)
        self.close_idle()

    def close_idle(self) -> None:
        """Close the devices that nobody measures on now."""
        for device in list(self._stations):
            lock = self._lock(device)
            if lock.acquire(blocking=False):
                try:
                    self._close(device)
                finally:
                    lock.release()

    def tidy(self) -> None:
        """Drop old files and results; called when a worker starts."""
        self.contents.make_room()
        self.kept_results.sweep()
        shutil.rmtree(self._scratch, ignore_errors=True)
