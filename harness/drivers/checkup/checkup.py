"""Everything that a run needs, looked at before there is one, each with what to do about it."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path

from harness import units
from harness.drivers.adb.discovery import list_android, resolve_devices
from harness.drivers.base import Device, DeviceInfo
from harness.drivers.checkup.check import HOST, HOT_C, LOW_PERCENT, ROOM_MB, Check, State, number_in
from harness.drivers.registry import open_device
from harness.errors import HarnessError
from harness.profiles import Profile
from harness.workspace import Workspace, ensure_writable


def check_host(find_workspace: Callable[[], Workspace], results: Path | None = None) -> Iterator[Check]:
    """Look at this computer: the runtime, the workspace, and whether results can be written."""
    yield _runtime()
    try:
        workspace = find_workspace()
    except HarnessError as error:
        yield Check(HOST, "workspace", State.FAILED, "none", str(error))
        return
    n_cards = len(list(workspace.models.glob("*.toml")))
    yield Check(HOST, "workspace", State.OK, f"{workspace.root} ({n_cards} model cards)")
    folder = results or workspace.results
    try:
        ensure_writable(folder)
    except HarnessError as error:
        yield Check(HOST, "results", State.FAILED, "not writable", str(error))
    else:
        yield Check(HOST, "results", State.OK, f"{folder} is writable")
    yield _usb()
    yield edge_tpu()


def _runtime() -> Check:
    for module, package in (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime")):
        if importlib.util.find_spec(module) is not None:
            try:
                found = f"{package} {metadata.version(package)}"
            except metadata.PackageNotFoundError:
                found = package
            return Check(HOST, "runtime", State.OK, found)
    remedy = "pip install ai-edge-litert, or tflite-runtime where there is no wheel of it"
    return Check(HOST, "runtime", State.FAILED, "none installed", remedy)


def _usb() -> Check:
    from harness.drivers.adb.server import server_phones
    from harness.drivers.adb.usb_list import usb_phones

    if importlib.util.find_spec("usb1") is not None:
        return Check(HOST, "usb", State.OK, "libusb1 is installed")
    held = {phone.serial for phone in server_phones()}
    waiting = [phone.serial or phone.where for phone in usb_phones() if phone.serial not in held]
    if not waiting:
        return Check(HOST, "usb", State.OK, "no phone is attached that would need libusb1")
    remedy = "pip install 'ondevice-harness[usb]', or start an adb server (`adb start-server`)"
    return Check(HOST, "usb", State.FAILED, f"{', '.join(waiting)} attached, libusb1 not installed", remedy)


def edge_tpu() -> Check:
    """Look at the Coral Edge TPUs of this computer, their library, and whether `pycoral` is Google's."""
    from harness.drivers.coral import attached as coral_list
    from harness.drivers.coral.device import clock_in_words, info_of

    infos = [(tpu, info_of(tpu, tpu.port)) for tpu in coral_list.attached()]
    firmware = {False: ", without firmware yet", True: "", None: ""}
    words = [f"{tpu.port} {info.state} ({tpu.where}{firmware[tpu.initialized]})" for tpu, info in infos]
    library = coral_list.find_library()
    if library is not None:
        words.append(f"clock {clock_in_words(library)}")
    if coral_list.pycoral_kind() == "namesake":
        words.append("the installed pycoral is another package of that name, not Google's, and is not used")
    reasons = tuple(dict.fromkeys(info.reason for _, info in infos if info.reason))
    found = ", ".join(words if infos else ["none attached", *words])
    return Check(HOST, "edge tpu", State.WARNING if reasons else State.OK, found, "; ".join(reasons))


def check_attached(workspace: Workspace) -> Iterator[Check]:
    """Look at every phone that is attached; a kind of phone that is not is nothing to complain of."""
    for info in list_android(workspace):
        if info.state == "ready":
            yield from check_device(info.address, workspace)
        else:
            yield Check(info.name, "reachable", State.FAILED, info.state, info.reason, info)


def check_device(text: str, workspace: Workspace) -> Iterator[Check]:
    """Look at what a user means by a device's name.

    Raises:
        UsageError: There is no such device.
    """
    try:
        profiles = resolve_devices(text, workspace)
    except HarnessError as error:
        if error.exit_status == 2:
            raise
        yield Check(text, "reachable", State.FAILED, "no answer", str(error))
        return
    for profile in profiles:
        yield from _check_profile(profile)


def _check_profile(profile: Profile) -> Iterator[Check]:
    from harness.drivers.checkup.board import check_board
    from harness.drivers.ssh.device import SshDevice

    with closing(open_device(profile)) as device:
        try:
            info = device.describe()
        except HarnessError as error:
            yield Check(profile.name, "reachable", State.FAILED, "no answer", str(error))
            return
        words = filter(None, (info.model, info.soc, info.os, info.abi))
        yield Check(info.name, "reachable", State.OK, ", ".join(words), "", info)
        yield _round_trip(device, info)
        if info.kind == "adb":
            yield from _check_phone(info, profile)
        if isinstance(device, SshDevice):
            yield from check_board(info, device.facts())


def _round_trip(device: Device, info: DeviceInfo) -> Check:
    """Push a small file, run a program on it, pull it back."""
    with tempfile.TemporaryDirectory() as folder:
        here, back = Path(folder) / "harness-doctor.txt", Path(folder) / "back.txt"
        here.write_text("harness doctor\n")
        try:
            (there,) = device.push([here])
            printed = device.run(["cat", there], timeout_s=20).stdout
            device.pull(there, back)
        except HarnessError as error:
            return Check(info.name, "push, run, pull", State.FAILED, "no", str(error), info)
        if printed != back.read_text() or printed != here.read_text():
            return Check(info.name, "push, run, pull", State.FAILED, "a file came back changed", "", info)
    return Check(
        info.name, "push, run, pull", State.OK, "a file went there, was read and came back", "", info
    )


def _check_phone(info: DeviceInfo, profile: Profile | None = None) -> Iterator[Check]:
    yield _space(info)
    yield _cores(info)
    yield _tool(info, profile)
    yield _battery(info)
    yield _heat(info)
    yield _screen(info)


def _space(info: DeviceInfo) -> Check:
    free = number_in(info, "free_mb")
    if free is None:
        return Check(
            info.name, "space", State.WARNING, "unknown", f"make sure that {ROOM_MB} MB are free", info
        )
    found = f"{units.megabytes(free)} MB free"
    if free < ROOM_MB:
        return Check(info.name, "space", State.FAILED, found, f"free at least {ROOM_MB} MB", info)
    return Check(info.name, "space", State.OK, found, "", info)


def _cores(info: DeviceInfo) -> Check:
    mask, tools = info.facts.get("big_core_mask"), str(info.facts.get("tools", "")).split()
    if mask is None or "taskset" not in tools:
        found = "unknown" if mask is None else f"mask {mask}, but no taskset"
        reason = "CPU latencies may mix big and little cores; give the mask with --cpu-mask if you know it"
        return Check(info.name, "big cores", State.WARNING, found, reason, info)
    return Check(info.name, "big cores", State.OK, f"{info.facts.get('cpu_clusters')}: mask {mask}", "", info)


def _tool(info: DeviceInfo, profile: Profile | None) -> Check:
    from harness import cards

    if profile is not None and profile.data.benchmark_binary:
        path = profile.origin.parent / profile.data.benchmark_binary
        if path.is_file():
            return Check(info.name, "benchmark_model", State.OK, str(path), "", info)
        reason = f"{profile.origin}: key 'benchmark_binary' names a file that does not exist"
        return Check(info.name, "benchmark_model", State.FAILED, str(path), reason, info)
    fetched = sorted((cards.cache_folder() / "tools").glob(f"benchmark_model-*-{info.abi}/tool*"))
    if fetched:
        return Check(info.name, "benchmark_model", State.OK, str(fetched[0]), "", info)
    reason = "the first run fetches it and pins its hash; without internet give your own with --benchmark-binary PATH"
    return Check(info.name, "benchmark_model", State.WARNING, f"none here for {info.abi}", reason, info)


def _battery(info: DeviceInfo) -> Check:
    level = number_in(info, "battery_percent")
    if level is None:
        return Check(info.name, "battery", State.OK, "none, or it does not say", "", info)
    charging = str(info.facts.get("charging", "unknown"))
    found = f"{level:.0f} %, charging: {charging}"
    if level < LOW_PERCENT:
        reason = f"charge it to {LOW_PERCENT} %: below, many phones slow themselves down"
        return Check(info.name, "battery", State.WARNING, found, reason, info)
    return Check(info.name, "battery", State.OK, found, "", info)


def _heat(info: DeviceInfo) -> Check:
    status = info.facts.get("thermal_status")
    celsius = number_in(info, "battery_temperature_c")
    found = ", ".join(
        filter(
            None,
            [
                f"status {status}" if status else "",
                f"battery {celsius:.1f} °C" if celsius is not None else "",
            ],
        )
    )
    if status not in {None, "none"} or (celsius is not None and celsius > HOT_C):
        reason = f"let it cool below {HOT_C:.0f} °C (away from the charger and the sun), or wait with --max-start-temp"
        return Check(info.name, "temperature", State.WARNING, found, reason, info)
    return Check(info.name, "temperature", State.OK, found or "unknown", "", info)


def _screen(info: DeviceInfo) -> Check:
    if info.facts.get("screen_on") == "yes":
        return Check(
            info.name, "screen", State.WARNING, "on", "switch it off: it takes GPU time and heats", info
        )
    return Check(
        info.name, "screen", State.OK, "off" if info.facts.get("screen_on") == "no" else "unknown", "", info
    )
