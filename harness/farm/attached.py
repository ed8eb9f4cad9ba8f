"""Find the devices that are attached to a host, again and again while its worker runs.

This computer, fakes, and phones on USB or of an adb server are offered without being named. A device on the network
could be reached from several hosts, which would then measure on it at the same time; it is offered only by the host
that it was named for (`harness worker --device NAME`).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from harness.bench.engines.base import Engine
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.delegates import KINDS
from harness.drivers.base import Device, DeviceInfo, DeviceState
from harness.drivers.registry import open_device
from harness.errors import HarnessError
from harness.farm.wire import Offer
from harness.profiles import EMULATORS, Profile, list_profiles
from harness.workspace import Workspace

_LOG = logging.getLogger(__name__)
LOCAL_KIND = "local-cpu"
ASK_AGAIN_S = 20.0
"""How often an idle device is asked whether it is still there, where no list of devices says so."""


@dataclass(frozen=True)
class AttachedDevice:
    """A device that is attached: what is offered of it to the farm, and how this host reaches it."""

    offer: Offer
    profile: Profile


class DeviceFinder(Protocol):
    """Finds the devices of a host and opens them; benchmarks bring their own."""

    def find_attached(
        self, known: Mapping[str, AttachedDevice], busy: Collection[str]
    ) -> dict[str, AttachedDevice]:
        """Return the devices that are attached now, by name.

        Args:
            known: The devices found last time; they need not be described again.
            busy: Names of devices that are being measured on: they are attached, and must not be disturbed.
        """

    def open(self, attached: AttachedDevice) -> Device:
        """Open a device.

        Raises:
            DeviceError: It cannot be reached.
        """

    def engine(self, station: Station, request: Request) -> Engine:
        """Make the engine that measures on a device; errors as for `find_engine`."""


class DriverDeviceFinder:
    """Finder that asks the drivers.

    Args:
        host: The host's name on the farm.
        workspace: Holds the profiles.
        named: Further devices to offer, as `--device` takes them.
    """

    def __init__(self, host: str, workspace: Workspace, named: Sequence[str] = ()) -> None:
        self._host, self._workspace, self._named = host, workspace, tuple(named)
        self._reported: dict[str, str] = {}
        self._asked_at: dict[str, float] = {}
        self._named_ones: set[str] = set()

    def find_attached(
        self, known: Mapping[str, AttachedDevice], busy: Collection[str]
    ) -> dict[str, AttachedDevice]:
        """Return the devices that are attached now; of one that cannot be described, log the reason once."""
        found = {name: known[name] for name in busy if name in known}
        for name, profile in self._profiles(known):
            if name in found:
                continue
            old = known.get(name)
            attached = old if old and not self._is_stale(old) else self._describe(name, profile)
            if attached is not None:
                found[name] = attached
        return found

    def _is_stale(self, attached: AttachedDevice) -> bool:
        """Whether a device has to be asked whether it is still attached, because no list of devices says so."""
        info, name = attached.offer.info, attached.offer.name
        if info.always_attached or (not info.on_host and name not in self._named_ones):
            return False
        return time.monotonic() - self._asked_at.get(name, 0.0) > ASK_AGAIN_S

    def open(self, attached: AttachedDevice) -> Device:
        """Open a device with its driver."""
        return open_device(attached.profile)

    def engine(self, station: Station, request: Request) -> Engine:
        """Make the engine that a run on this computer would use."""
        from harness.bench.engines.choose import find_engine

        return find_engine(station, request)

    def _profiles(self, known: Mapping[str, AttachedDevice]) -> Iterator[tuple[str, Profile | None]]:
        """Yield the names of the attached devices, with the profiles of those that are not known yet."""
        from harness.drivers.adb.attached import attached_phones
        from harness.drivers.names import resolve_devices

        for profile in list_profiles(self._workspace):
            if profile.data.connection.on_host:
                # every host has its own: the name is completed with the host's
                yield f"{profile.name}@{self._host}", profile
        for phone in attached_phones():
            if phone.state == DeviceState.READY:
                profiles = [] if phone.name in known else self._resolve(resolve_devices, phone.serial)
                yield phone.name, profiles[0] if profiles else None
        for text in self._named:
            for profile in self._resolve(resolve_devices, text):
                emulated = profile.data.connection.kind in EMULATORS  # the same chip on any host
                name = f"{profile.name}@{self._host}" if emulated else profile.name
                self._named_ones.add(name)
                yield name, profile

    def _resolve(self, resolve: Callable[[str, Workspace], list[Profile]], text: str) -> list[Profile]:
        try:
            return resolve(text, self._workspace)
        except HarnessError as error:
            self._report(text, str(error))
            return []

    def _describe(self, name: str, profile: Profile | None) -> AttachedDevice | None:
        if profile is None:
            return None
        self._asked_at[name] = time.monotonic()
        try:
            with closing(open_device(profile)) as device:
                info = device.describe()
        except HarnessError as error:
            self._report(name, str(error), no_news=profile.data.connection.on_host)
            return None
        if info.state != DeviceState.READY:
            self._report(name, info.reason or info.state)
            return None
        self._reported.pop(name, None)
        return AttachedDevice(make_offer(name, profile, info, self._host), profile)

    def _report(self, name: str, text: str, *, no_news: bool = False) -> None:
        """Log once why a device is not offered; without a warning for an Edge TPU that nobody plugged in."""
        if self._reported.get(name) != text:
            self._reported[name] = text
            level = logging.DEBUG if no_news else logging.WARNING
            _LOG.log(level, "%s is not offered: %s", name, text)


def make_offer(name: str, profile: Profile, info: DeviceInfo, host: str) -> Offer:
    """Describe a device for the farm, under its name there and with its host."""
    described = replace(info, name=name, facts={**info.facts, "host": host})
    kinds = tuple(kind for kind in kinds_of(profile, info) if kind != name)
    return Offer(name=name, kinds=kinds, profile=profile.data, origin=profile.origin.stem, info=described)


def kinds_of(profile: Profile, info: DeviceInfo) -> tuple[str, ...]:
    """Return the kinds of a device: the names of its profile and model, `local-cpu`, `edgetpu`; an emulator's name."""
    if profile.data.connection.kind in EMULATORS:
        return (profile.name,)
    own = [slug(profile.origin.stem)]
    if info.is_computer:
        own.append(LOCAL_KIND)
    elif not info.on_host and info.model:
        own.append(slug(info.model))
    own += [kind.name for kind in KINDS.values() if kind.plugged_in and kind.name in info.delegates]
    return tuple(dict.fromkeys(filter(None, own)))


def slug(text: str) -> str:
    """Return a text as a kind is spelled: `Pixel 4` is `pixel-4`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
