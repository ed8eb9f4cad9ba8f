"""Device profiles: a kind of device or one device, how it is reached and what it offers.

The keys of a profile are documented for users in `devices/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import schema
from harness.delegates import CPU, parse_delegate
from harness.errors import SchemaError, UsageError
from harness.paths import found_in
from harness.schema import Strict
from harness.workspace import Workspace

ConnectionKind = Literal["local", "fake", "adb", "ssh", "coral", "emulator"]
"""How a device is reached; `harness.drivers.registry` has a driver for each."""
ON_HOST: frozenset[ConnectionKind] = frozenset({"local", "fake", "coral", "emulator"})
"""Parts of the computer that the harness runs on: every host of a farm has its own, and commands run beside us."""
ON_HOST_HARDWARE: frozenset[ConnectionKind] = frozenset({"local", "coral"})
"""Those whose figures are of that computer's hardware; a fake stands for a device of its own."""
ALWAYS_ATTACHED: frozenset[ConnectionKind] = frozenset({"local", "fake", "emulator"})
"""Those that nobody can unplug."""
COMPUTERS: frozenset[ConnectionKind] = frozenset({"local"})
"""Whole computers."""
PHONES: frozenset[ConnectionKind] = frozenset({"adb"})
"""Android phones."""
EMULATORS: frozenset[ConnectionKind] = frozenset({"emulator"})
"""Programs of a vendor's that compute what a chip computes: what they give is no measurement (law 15)."""


class Connection(Strict, frozen=True, kw_only=True):
    """How the device is reached.

    An `adb` connection has a `serial`, or a `host`, or neither: then the profile is of a kind of phone, and `match`
    says which of the phones that are attached are meant. An `ssh` connection has a `host`, or it is of a kind of board.
    A `coral` connection has the bus of its Edge TPU as `serial`, with a number for one of them: `usb`, `pci:1`; an
    `emulator` connection the chip that is emulated: `qualcomm-SM8650`.
    What is empty or None is the driver's own default.
    """

    kind: ConnectionKind
    serial: str = ""
    host: str = ""
    port: int | None = None
    user: str = ""
    identity: str = ""
    jump: str = ""
    root: str = ""
    python: str = ""

    @property
    def names_one(self) -> bool:
        """Whether it is of one phone or board; else the profile is of a kind of them."""
        return bool(self.serial or self.host)

    @property
    def on_host(self) -> bool:
        """Whether the device is part of the computer that the harness runs on."""
        return self.kind in ON_HOST

    @property
    def is_computer(self) -> bool:
        """Whether the device is that computer itself."""
        return self.kind in COMPUTERS

    def settings(self) -> dict[str, object]:
        """Return what is said of the connection besides its kind."""
        said = {name: getattr(self, name) for name in self.__struct_fields__ if name != "kind"}
        return {name: value for name, value in said.items() if value not in {"", None}}


ALL_CORES = f"{CPU}:all"
"""In a profile of this computer: a CPU thread for each of its cores."""
CONNECTION_KEYS: dict[ConnectionKind, tuple[str, ...]] = {
    "adb": ("serial", "host", "port", "root"),
    "ssh": ("host", "port", "user", "identity", "jump", "root", "python"),
    "coral": ("serial",),
    "emulator": ("serial",),
}
"""What can be said of a kind of connection; nothing of the others."""


class Match(Strict, frozen=True, kw_only=True):
    """Which phones or boards a profile is for: patterns with `*`, compared without case; what is not said fits all."""

    manufacturer: str = "*"
    model: str = "*"
    soc: str = "*"
    min_api: int = 0
    max_api: int = 999


class Fact(Strict, frozen=True, kw_only=True):
    """Something known about a delegate on this kind of device, with its source."""

    delegate: str
    works: bool
    reason: str
    source: str = ""


class DeviceProfile(Strict, frozen=True, kw_only=True):
    """The whole profile, as in the TOML file.

    `delegates` are the ones measured when the user names none; `repetitions` is the number of independent
    processes a cell is measured in; `benchmark_binary` is the native tool to measure with, `litert_library` LiteRT's
    library for our own worker. `aliases` are what publications and the device itself call it.
    """

    name: str
    connection: Connection
    description: str = ""
    delegates: tuple[str, ...] = (CPU,)
    repetitions: int = 5
    benchmark_binary: str = ""
    litert_library: str = ""
    aliases: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    match: Match | None = None

    def delegates_with(self, threads: int) -> tuple[str, ...]:
        """Return the delegates, with so many threads where all cores are meant; none twice."""
        all_cores = f"{CPU}:{threads}"
        return tuple(dict.fromkeys(all_cores if text == ALL_CORES else text for text in self.delegates))


@dataclass(frozen=True)
class Profile:
    """A profile and the file it was read from."""

    data: DeviceProfile
    origin: Path

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.data.name


def load_profile(path: Path) -> Profile:
    """Read one profile.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
        UsageError: A delegate is misspelt.
    """
    data = schema.convert(schema.load_toml(path), DeviceProfile, path)
    schema.check_name(data.name, path)
    if data.repetitions < 1:
        raise SchemaError(f"{path}: key 'repetitions': found {data.repetitions}, expected at least 1")
    _check_connection(data.connection, path)
    if ALL_CORES in data.delegates and not data.connection.is_computer:
        raise SchemaError(
            f"{path}: key 'delegates': found {ALL_CORES!r}, which is of this computer alone; give a number of threads"
        )
    for text in (*data.delegates_with(threads=1), *(fact.delegate for fact in data.facts)):
        try:
            parse_delegate(text)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    return Profile(data, path)


def _check_connection(connection: Connection, path: Path) -> None:
    if connection.serial and connection.host:
        raise SchemaError(f"{path}: key 'connection': found both serial and host, expected one of them")
    meant = CONNECTION_KEYS.get(connection.kind, ())
    for key in connection.settings():
        if key not in meant:
            known = f"known there: {', '.join(meant)}" if meant else "it takes no further keys"
            raise SchemaError(
                f"{path}: key 'connection.{key}': found with kind {connection.kind!r}, where it means nothing; {known}"
            )
    if connection.port is not None and not 0 < connection.port < 65536:
        raise SchemaError(f"{path}: key 'connection.port': found {connection.port}, expected 1 to 65535")
    if connection.root:
        _check_root(connection, path)


def _check_root(connection: Connection, path: Path) -> None:
    """A folder that everything is put into, and removed with, must be one of its own."""
    root = connection.root
    if root.startswith("~/") and connection.kind == "ssh" and root.strip("~/"):
        return
    if not root.startswith("/") or len(root.strip("/").split("/")) < 2:
        example = (
            "~/.cache/ondevice-harness" if connection.kind == "ssh" else "/data/local/tmp/ondevice-harness"
        )
        raise SchemaError(
            f"{path}: key 'connection.root': found {root!r}, expected an absolute path of a folder of its own, "
            f"such as {example}"
        )


def list_profiles(workspace: Workspace) -> list[Profile]:
    """Return all profiles of the workspace, sorted by name."""
    return sorted(
        (load_profile(path) for path in found_in(workspace.devices, "*.toml")), key=lambda p: p.name
    )
