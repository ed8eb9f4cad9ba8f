"""Coral Edge TPUs that are plugged in, and what prevents using one: from the kernel's tables, nothing opened.

A Coral USB Accelerator shows as 1a6e:089a until a library has sent it its firmware, then as 18d1:9302; one on PCI
Express shows as 1ac1:089a and is used through the `apex` driver (coral.ai, «Get started»).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal

from harness import child_process
from harness.delegates import EDGETPU, KINDS
from harness.drivers.base import DeviceState

Bus = Literal["usb", "pci"]
Clock = Literal["standard", "max"]

USB_IDS = {("1a6e", "089a"): False, ("18d1", "9302"): True}
"""(vendor, product) → whether it has its firmware."""
PCI_ID = ("0x1ac1", "0x089a")
LIBRARY = KINDS[EDGETPU].library
LIBRARY_FOLDERS = (
    "usr/lib/*-linux-gnu*",
    "lib/*-linux-gnu*",
    "usr/local/lib",
    "usr/lib64",
    "lib64",
    "usr/lib",
    "lib",
)
"""Where the system's loader looks, behind LD_LIBRARY_PATH."""
PACKAGES: dict[str, Clock] = {"libedgetpu1-std": "standard", "libedgetpu1-max": "max"}
"""Debian packages of the library, by the clock that they run the TPU at."""
BUILDS: dict[str, Clock] = {"throttled": "standard", "direct": "max"}
"""The same by the folders of libedgetpu's own builds and archives."""

ROOT = Path("/")
"""Of the file system that is looked at; a tree of files can stand for another computer."""
GET_STARTED = "https://coral.ai/docs/accelerator/get-started"
NO_LIBRARY = (
    f"{LIBRARY} is not installed: `apt-get install libedgetpu1-std` (or -max for the higher clock) from Coral's "
    f"package repository, see {GET_STARTED}, or point LD_LIBRARY_PATH to a build of github.com/google-coral/libedgetpu"
)
UDEV = (
    'this user may not open it: put SUBSYSTEM=="usb", ATTRS{idVendor}=="1a6e", GROUP="plugdev" and the same with '
    '"18d1" into /etc/udev/rules.d/60-edgetpu.rules, run `udevadm control --reload-rules`, be in the group plugdev '
    "(`usermod -aG plugdev $USER`, then log in again), and plug it in again"
)
APEX_GROUP = (
    'this user may not open it: put SUBSYSTEM=="apex", MODE="0660", GROUP="apex" into '
    "/etc/udev/rules.d/65-apex.rules and be in the group apex (`usermod -aG apex $USER`, then log in again)"
)
NO_DRIVER = "the apex driver is not loaded: install gasket-dkms, then `modprobe apex`"
NONE_ATTACHED = (
    "no Edge TPU is attached: plug one in (`lsusb` shows 1a6e:089a or 18d1:9302, `lspci -n` 1ac1:089a)"
)


@dataclass(frozen=True)
class Tpu:
    """An Edge TPU that is plugged in.

    Attributes:
        bus: How it is plugged in.
        index: Its number on that bus, as in `edgetpu:usb:0`.
        where: Its place, such as `usb:2-1` or `pci:0000:01:00.0`.
        initialized: Whether it has its firmware; None on PCI Express, which needs none.
        state: Whether it can be used, or why not.
        reason: What to do about it; empty when it is ready.
    """

    bus: Bus
    index: int
    where: str
    initialized: bool | None
    state: str = DeviceState.READY
    reason: str = ""

    @property
    def port(self) -> str:
        """As a delegate spells it: `usb:0`."""
        return f"{self.bus}:{self.index}"


@dataclass(frozen=True)
class Library:
    """The Edge TPU's runtime library.

    Attributes:
        path: Where it is.
        clock: What it runs the TPU at; None where neither its package nor its folder says.
    """

    path: Path
    clock: Clock | None


def list_tpus(root: Path | None = None) -> list[Tpu]:
    """Return the Edge TPUs that are plugged in, those on USB first; `root` stands for another file system."""
    return [*_on_usb(root or ROOT), *_on_pci(root or ROOT)]


def _on_usb(root: Path) -> Iterator[Tpu]:
    index = 0
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        initialized = USB_IDS.get((_read(device / "idVendor"), _read(device / "idProduct")))
        if initialized is None:
            continue
        node = root / "dev/bus/usb" / _read(device / "busnum").zfill(3) / _read(device / "devnum").zfill(3)
        permitted = os.access(node, os.R_OK | os.W_OK)
        state, reason = (DeviceState.READY, "") if permitted else (DeviceState.NO_PERMISSIONS, UDEV)
        yield Tpu("usb", index, f"usb:{device.name}", initialized, state, reason)
        index += 1


def _on_pci(root: Path) -> Iterator[Tpu]:
    found = sorted((root / "sys/bus/pci/devices").glob("*"))
    mine = [device for device in found if (_read(device / "vendor"), _read(device / "device")) == PCI_ID]
    for index, device in enumerate(mine):
        node = root / "dev" / f"apex_{index}"
        state, reason = DeviceState.READY, ""
        if not node.exists():
            state, reason = DeviceState.NO_DRIVER, NO_DRIVER
        elif not os.access(node, os.R_OK | os.W_OK):
            state, reason = DeviceState.NO_PERMISSIONS, APEX_GROUP
        yield Tpu("pci", index, f"pci:{device.name}", None, state, reason)


def find_library(root: Path | None = None) -> Library | None:
    """Find libedgetpu.so.1 where the loader would; None where it is not."""
    root = root or ROOT
    folders = [Path(text) for text in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if text]
    folders += [folder for pattern in LIBRARY_FOLDERS for folder in sorted(root.glob(pattern))]
    path = next((folder / LIBRARY for folder in folders if (folder / LIBRARY).is_file()), None)
    return None if path is None else Library(path, _clock(path.resolve(), root))


def _clock(path: Path, root: Path) -> Clock | None:
    """Read the clock off the folder of a build, or off the package that the file came with."""
    for part in path.parts:
        if part in BUILDS:
            return BUILDS[part]
    for package, clock in PACKAGES.items():
        for listed in (root / "var/lib/dpkg/info").glob(f"{package}*.list"):
            files = _read(listed).splitlines()
            if any(root / name.lstrip("/") == path for name in files):
                return clock
    return None


def pycoral_kind(path: list[str] | None = None) -> Literal["google", "namesake"] | None:
    """Tell Google's `pycoral` from the package of that name on PyPI, by `pycoral.utils.edgetpu`; nothing is imported.

    Args:
        path: Folders to look in; None for `sys.path`.
    """
    spec = PathFinder.find_spec("pycoral", path)
    if spec is None:
        return None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    modules = [module for place in places for module in (place / "utils").glob("edgetpu.*")]
    return "google" if modules else "namesake"


_LIST = "import json; from pycoral.utils.edgetpu import list_edge_tpus; print(json.dumps(list_edge_tpus()))"


def ports_by_pycoral(timeout_s: float = 20.0) -> list[tuple[Bus, str]] | None:
    """Ask Google's pycoral, in a process of its own because it loads the library, for (bus, place) of each TPU.

    Returns:
        None where it gives no answer.
    """
    try:
        ended = child_process.run([sys.executable, "-c", _LIST], timeout_s=timeout_s)
        if ended.exit_code != 0:
            return None
        listed = json.loads(ended.stdout.strip().splitlines()[-1])
        return [("usb" if one["type"] == "usb" else "pci", Path(one["path"]).name) for one in listed]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def attached_tpus(root: Path | None = None) -> list[Tpu]:
    """Return the TPUs, in pycoral's order where Google's pycoral is installed, with our states and remedies."""
    ours = list_tpus(root)
    listed = ports_by_pycoral() if pycoral_kind() == "google" else None
    if listed is None:
        return ours
    by_place = {tpu.where: tpu for tpu in ours}
    counts: dict[Bus, int] = {"usb": 0, "pci": 0}
    found = []
    for bus, place in listed:
        known = by_place.get(f"{bus}:{place}")
        found.append(
            Tpu(
                bus,
                counts[bus],
                f"{bus}:{place}",
                known.initialized if known else None,
                known.state if known else DeviceState.READY,
                known.reason if known else "",
            )
        )
        counts[bus] += 1
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
