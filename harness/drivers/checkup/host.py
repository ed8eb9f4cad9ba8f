"""Checks of what a run needs on this computer: runtime, workspace, a place for results, USB, the Edge TPU, quiet."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from harness.delegates import GPU, NPU
from harness.drivers.adb.server import server_phones
from harness.drivers.adb.usb_list import usb_phones
from harness.drivers.checkup.check import Check, State
from harness.drivers.checkup.known_faults import check_known_faults
from harness.drivers.checkup.quiet import check_quiet
from harness.drivers.coral.attached import attached_tpus, find_library, pycoral_kind
from harness.drivers.coral.device import clock_in_words, describe_tpu
from harness.drivers.local_gpu import find_gpu
from harness.drivers.local_npu import find_npu
from harness.errors import HarnessError
from harness.install import install_extra, pip_install
from harness.paths import found_in
from harness.workspace import Workspace, ensure_writable

HOST = "this computer"


def check_host(find_workspace: Callable[[], Workspace], results: Path | None = None) -> Iterator[Check]:
    """Check this computer.

    Args:
        find_workspace: Finds the workspace; what it raises is a check that failed.
        results: The folder that results shall go to; None for the workspace's.
    """
    yield _runtime()
    try:
        workspace = find_workspace()
    except HarnessError as error:
        yield Check(HOST, "workspace", State.FAILED, "none", str(error))
        return
    n_cards = len(found_in(workspace.models, "*.toml"))
    yield Check(HOST, "workspace", State.OK, f"{workspace.root} ({n_cards} model cards)")
    folder = results or workspace.results
    try:
        ensure_writable(folder)
    except HarnessError as error:
        yield Check(HOST, "results", State.FAILED, "not writable", str(error))
    else:
        yield Check(HOST, "results", State.OK, f"{folder} is writable")
    yield from check_known_faults(HOST)
    yield _usb()
    yield check_gpu()
    yield check_npu()
    yield check_edge_tpu()
    yield from check_quiet(HOST)


def _runtime() -> Check:
    for module, package in (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime")):
        if importlib.util.find_spec(module) is not None:
            try:
                found = f"{package} {metadata.version(package)}"
            except metadata.PackageNotFoundError:
                found = package
            return Check(HOST, "runtime", State.OK, found)
    remedy = f"{pip_install('ai-edge-litert')}, or tflite-runtime where there is no wheel of it"
    return Check(HOST, "runtime", State.FAILED, "none installed", remedy)


def _usb() -> Check:
    if importlib.util.find_spec("usb1") is not None:
        return Check(HOST, "usb", State.OK, "libusb1 is installed")
    held = {phone.serial for phone in server_phones()}
    waiting = [phone.serial or phone.where for phone in usb_phones() if phone.serial not in held]
    if not waiting:
        return Check(HOST, "usb", State.OK, "no phone is attached that would need libusb1")
    remedy = f"{install_extra('usb')}, or start an adb server (`adb start-server`)"
    return Check(HOST, "usb", State.FAILED, f"{', '.join(waiting)} attached, libusb1 not installed", remedy)


def check_gpu() -> Check:
    """Check what `--delegate gpu` needs on this computer; nobody has to have it."""
    gpu = find_gpu()
    drivers = ", ".join(gpu.drivers)
    if gpu.missing:
        return Check(HOST, GPU, State.OK, f"not usable: {gpu.missing}")
    found = f"Vulkan drivers {drivers}" if drivers else "the system's own interface"
    return Check(HOST, GPU, State.OK, f"{found}; `--delegate gpu` says which adapter answers")


def check_npu() -> Check:
    """Check what `--delegate npu:openvino` needs on this computer; nobody has to have it."""
    npu = find_npu()
    found = f"not usable: {npu.missing}" if npu.missing else f"OpenVINO {npu.version}"
    return Check(HOST, NPU, State.OK, found)


def check_edge_tpu() -> Check:
    """Check the Coral Edge TPUs of this computer, their library, and whether `pycoral` is Google's."""
    infos = [(tpu, describe_tpu(tpu, tpu.port)) for tpu in attached_tpus()]
    firmware = {False: ", without firmware yet", True: "", None: ""}
    words = [f"{tpu.port} {info.state} ({tpu.where}{firmware[tpu.initialized]})" for tpu, info in infos]
    library = find_library()
    if library is not None:
        words.append(f"clock {clock_in_words(library)}")
    if pycoral_kind() == "namesake":
        words.append("the installed pycoral is another package of that name, not Google's, and is not used")
    reasons = tuple(dict.fromkeys(info.reason for _, info in infos if info.reason))
    found = ", ".join(words if infos else ["none attached", *words])
    return Check(HOST, "edge tpu", State.WARNING if reasons else State.OK, found, "; ".join(reasons))
