"""Run on a farm: connect, plan with the devices it has, carry the plan out on all of them, disconnect."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from harness.bench.observer import Observer
from harness.bench.plan import Cell, Plan
from harness.bench.request import FarmChoice, Request
from harness.bench.stations import Station
from harness.drivers.base import Device
from harness.drivers.benchmark_tool.binaries import Tool, fetch_tool, tool_from_file
from harness.errors import IncomparableError, UnknownNameError, UsageError
from harness.farm.cells import Catalog
from harness.farm.device_runs import DeviceRun, DeviceStore, WorkPool, give_up, has_part, kind_of
from harness.farm.engine import FarmEngine
from harness.farm.hosts import HostAnswer
from harness.farm.link import Link
from harness.farm.names import PlannedDevice, find_devices, profile_of, usable_offers
from harness.farm.security import check_installed, full_address, make_security, why_unsafe
from harness.farm.wire import File, Offer, Tools
from harness.names import safe_file_name
from harness.records.records import Record, load_records
from harness.records.store import RunStore

_LOG = logging.getLogger(__name__)
POLL_S = 0.3


@dataclass(frozen=True)
class FarmDevice:
    """A device of the farm as a plan has it: only a name, because its `DeviceRun` alone reaches it."""

    name: str

    def close(self) -> None:
        """Do nothing: nothing is open."""


@dataclass
class Farm:
    """A farm that a client is connected to.

    Attributes:
        link: The connection.
        devices: The devices of the plan.
        request: The user's request.
        remarks: Sentences for the user before the run.
        say: Called with a sentence for the user during the run.
    """

    link: Link
    devices: tuple[PlannedDevice, ...]
    request: Request
    remarks: tuple[str, ...] = ()
    say: Callable[[str], None] = _LOG.warning
    catalog: Catalog = field(default_factory=Catalog)
    _tools: dict[str | None, Tools] = field(default_factory=dict)

    @property
    def stations(self) -> tuple[Station, ...]:
        """The stations to plan with; for any device of a kind, that of the first."""
        return tuple(map(_station, self.devices))

    @property
    def offers(self) -> dict[str, Offer]:
        """The devices that may measure, by name."""
        return {offer.name: offer for device in self.devices for offer in device.offers}

    def close(self) -> None:
        """Leave the farm."""
        self.link.close()

    def tools(self, offer: Offer) -> Tools:
        """Return the tools to measure with on a device; a profile's own are on its host, others are sent.

        Raises:
            UsageError: The native tool is needed, and there is none for the device.
            FetchError: It could not be fetched.
        """
        needs_native = not offer.info.has_python and not offer.profile.benchmark_binary
        abi = offer.info.abi if needs_native else None
        if abi not in self._tools:
            request = self.request
            tool = tool_from_file(Path(request.benchmark_binary)) if request.benchmark_binary else None
            if tool is None and needs_native:
                if abi is None:
                    raise UsageError(
                        f"{offer.name}: its ABI is not known; give a tool with --benchmark-binary"
                    )
                tool = fetch_tool(abi)
            evaluation = tool_from_file(Path(request.eval_binary)) if request.eval_binary else None
            self._tools[abi] = Tools(
                benchmark=self._files(tool),
                evaluation=self._files(evaluation),
                cpu_mask=request.cpu_mask,
                max_start_temp=request.max_start_temp,
            )
        return self._tools[abi]

    def _files(self, tool: Tool | None) -> tuple[File, ...]:
        if tool is None:
            return ()
        beside = {path for paths in tool.libraries.values() for path in paths} - {tool.file}
        return tuple(self.catalog.add(path) for path in (tool.file, *sorted(beside)))

    def refuse_other_devices(self, folder: Path) -> None:
        """Refuse to resume cells on devices that changed meanwhile (law 6).

        Raises:
            IncomparableError: Names the key and both values.
        """
        for stored in load_records(folder):
            device, offer = stored.record.device, self.offers.get(stored.record.device.name)
            if offer is None or not has_part(stored.record):
                continue
            for key in ("kind", "model", "soc", "os", "abi"):
                before, now = getattr(device, key), getattr(offer.info, key)
                if before != now:
                    raise IncomparableError(
                        f"{device.name}: device.{key}", before, now, "parts of a resumed run"
                    )

    def carry_out(self, plan: Plan, store: RunStore, observer: Observer) -> None:
        """Measure a plan; return when every cell has a record."""
        FarmRun(self, plan, store, observer).carry_out()


def reach(request: Request) -> Farm:
    """Connect to the farm of a request and find the devices that it names.

    Raises:
        MissingExtraError: Dask distributed is not installed.
        FarmError: No scheduler answers, or the farm has no devices.
        UsageError: A device is not on the farm, or is named twice.
        IncomparableError: A device that was named is on a host of another version.
    """
    link = _connect(request.farm)
    warning = why_unsafe(link.address, request.farm.tls)
    try:
        hosts = link.describe_hosts()
        devices = _planned_devices(request, hosts)
        _refuse_any_device(request, devices)
        farm = Farm(link, devices, request, tuple(filter(None, (warning, *_remarks(link, hosts)))))
        for offer in farm.offers.values():
            farm.tools(offer)
        return farm
    except BaseException:
        link.close()
        raise


def list_farm(asked: FarmChoice) -> list[dict[str, Any]]:
    """Return one row for each device of a farm; errors as for `reach`."""
    link = _connect(asked)
    try:
        return describe_farm(link.describe_hosts())
    finally:
        link.close()


def _connect(asked: FarmChoice) -> Link:
    check_installed()
    assert asked.scheduler is not None
    return Link(full_address(asked.scheduler, asked.tls), make_security(asked.tls), asked.wait_s)


def _planned_devices(request: Request, hosts: Sequence[HostAnswer]) -> tuple[PlannedDevice, ...]:
    found: dict[str, PlannedDevice] = {}
    offers = usable_offers(hosts)
    for text in request.devices:
        for device in _find_devices(text, offers, hosts):
            if device.name in found:
                raise UsageError(f"device {device.name!r} is named twice")
            found[device.name] = device
    return tuple(found.values())


def _refuse_any_device(request: Request, devices: Sequence[PlannedDevice]) -> None:
    """Refuse to measure two sides in turn on whichever device is free.

    Raises:
        UsageError: Names what was asked for.
    """
    loose = next((device.name for device in devices if device.is_any), None)
    if request.against is not None and loose is not None:
        raise UsageError(
            f"--against: {loose} is any device of a kind, so the two sides could be measured on two of them; name one "
            "as harness devices --scheduler shows it"
        )


def _find_devices(text: str, offers: Sequence[Offer], hosts: Sequence[HostAnswer]) -> list[PlannedDevice]:
    """Find the devices of a name; where there is none, hosts that cannot be used may be why."""
    try:
        return find_devices(text, offers)
    except UnknownNameError as error:
        problems = "; ".join(host.problem for host in hosts if host.problem)
        if not problems:
            raise
        raise UnknownNameError(
            "device", text, error.known, hint=f"It may be on a host left out: {problems}"
        ) from error


def _remarks(link: Link, hosts: Sequence[HostAnswer]) -> list[str]:
    remarks = [host.problem for host in hosts if host.problem]
    offered: dict[str, list[str]] = {}
    for host in hosts:
        for offer in host.description.offers:
            offered.setdefault(offer.name, []).append(host.description.host)
    remarks += [
        f"{name} is offered by {' and '.join(names)}: one device behind two hosts may be measured on twice at a time"
        for name, names in offered.items()
        if len(names) > 1
    ]
    return remarks


def _station(device: PlannedDevice) -> Station:
    first = device.offers[0]
    info = replace(first.info, name=device.name)
    return Station(profile_of(device), cast(Device, FarmDevice(device.name)), info, far=True)


class FarmRun:
    """A plan being carried out: one `DeviceRun` for each device, and for those that come while it goes."""

    def __init__(self, farm: Farm, plan: Plan, store: RunStore, observer: Observer) -> None:
        self._farm, self._plan, self._store, self._observer = farm, plan, store, observer
        self._stop = threading.Event()
        loose = [device.name for device in farm.devices if device.is_any]
        records = {cell.id: store.load_record(cell.id) for cell in plan.cells}
        self._records = {cell: record for cell, record in records.items() if record is not None}
        cells = [cell for cell in plan.cells if cell.device in loose and not self._complete(cell)]
        held = {cell: record.device.name for cell, record in self._records.items() if has_part(record)}
        self._pool = WorkPool(cells, held, self._stop)
        self._device_runs: dict[str, tuple[DeviceRun, threading.Thread]] = {}
        self._ended: list[DeviceRun] = []
        self._known = farm.link.resources
        self._idle_since = time.monotonic()

    def _complete(self, cell: Cell) -> bool:
        record: Record | None = self._records.get(cell.id)
        return record is not None and record.complete

    def carry_out(self) -> None:
        """Measure the plan; Ctrl-C arrives here, while the devices measure in threads of their own."""
        offers = self._farm.offers.values()
        with self._pool.news:  # who shares images out knows of all devices, though they start one by one
            self._pool.shards.join(offers)
        for offer in offers:
            self._start(offer)
        try:
            while self._poll():
                time.sleep(POLL_S)
        except BaseException:
            self._stop.set()
            raise
        for device_run in self._ended:
            if device_run.error is not None:
                raise device_run.error
        self._farm.link.forget(self._store.run_id)

    def _poll(self) -> bool:
        """Look after the device runs; return whether there is something left to wait for."""
        for name, (device_run, thread) in list(self._device_runs.items()):
            if not thread.is_alive():
                self._ended.append(device_run)
                del self._device_runs[name]
        if self._stop.is_set():
            return bool(self._device_runs)
        self._start_arrivals()
        waiting = self._pool.left_without(
            [device_run.engine.offer for device_run, _ in self._device_runs.values()]
        )
        if not waiting:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > self._farm.link.wait_s:
            self._give_up(waiting)
        return bool(self._device_runs or self._pool.left())

    def _give_up(self, cells: Sequence[Cell]) -> None:
        """Record these cells as skipped: no device for them was seen within the stated wait."""
        for cell in cells:
            planned = next(device for device in self._farm.devices if device.name == cell.device)
            device = self._pool.held.get(cell.id, f"a device of the kind {kind_of(cell)}")
            reason = f"{device} was not seen on the farm for {self._farm.link.wait_s:g} s"
            give_up([cell], self._store, _station(planned).info, reason)
        self._pool.drop(cells)

    def _start_arrivals(self) -> None:
        """Start devices that came, or came back, and that may take cells of the pool."""
        present = self._farm.link.resources
        if present == self._known or not self._pool.left():
            return
        self._known = present
        for offer in usable_offers(self._farm.link.describe_hosts()):
            wanted = any(device.is_any and device.fits(offer) for device in self._farm.devices)
            if wanted and offer.name not in self._device_runs:
                self._start(offer)

    def _start(self, offer: Offer) -> None:
        """Start a device's part of the run, unless it has nothing to do."""
        own = self._plan.of_device(offer.name)
        if any(device_run.info.name == offer.name for device_run in self._ended):
            own = Plan((), self._plan.seed)
        runtimes = {cell: record.runtime or "" for cell, record in self._records.items() if has_part(record)}
        engine = FarmEngine(
            self._farm.link,
            offer,
            self._store.run_id,
            self._farm.catalog,
            self._farm.tools(offer),
            self._pool.shards,
            runtimes=runtimes,
        )
        with self._pool.news:
            self._pool.shards.join([offer])
        store = DeviceStore(self._store.folder, self._store.owner, safe_file_name(offer.name))
        device_run = DeviceRun(
            engine, own, offer.info, self._pool, store, self._observer, self._farm.say, self._stop
        )
        self._device_runs[offer.name] = (device_run, device_run.start())


def describe_farm(hosts: Sequence[HostAnswer]) -> list[dict[str, Any]]:
    """Return one row a device, as `harness devices` prints them, with its host and its kinds."""
    rows: list[dict[str, Any]] = []
    for host in hosts:
        if host.problem:
            rows.append(
                {
                    "name": host.description.host,
                    "state": "refused",
                    "reason": host.problem,
                    "host": host.address,
                }
            )
        for offer in host.description.offers:
            info = offer.info
            facts = {key: getattr(info, key) for key in _DESCRIBED}
            rows.append({**facts, "host": host.description.host, "kinds": list(offer.kinds)})
    return rows


_DESCRIBED = ("name", "kind", "address", "state", "model", "soc", "os", "abi", "delegates", "reason")
