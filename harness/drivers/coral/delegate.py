"""The delegate `edgetpu` on this computer: the TPU that it uses, and what prevents it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.delegates import EDGETPU, Delegate
from harness.drivers.base import DeviceState
from harness.drivers.coral.attached import NO_LIBRARY, NONE_ATTACHED, attached_tpus, find_library
from harness.profiles import Connection


def bind_tpu(delegate: Delegate, connection: Connection) -> Delegate:
    """Say on which TPU a bare `edgetpu` is to run: the one of the device, where that is a TPU."""
    if connection.kind != "coral" or delegate.kind != EDGETPU or delegate.port is not None:
        return delegate
    bus, _, index = connection.serial.partition(":")
    return replace(delegate, options=((bus, index), *delegate.options))


def why_unavailable(delegate: Delegate, root: Path | None = None) -> str | None:
    """Say why `edgetpu` is known not to work on this computer; None where nothing is in the way."""
    if find_library(root) is None:
        return NO_LIBRARY
    tpus = attached_tpus(root)
    if not tpus:
        return NONE_ATTACHED
    meant = [tpu for tpu in tpus if delegate.port in {tpu.port, None}]
    if not meant:
        ports = ", ".join(tpu.port for tpu in tpus)
        return f"there is no Edge TPU {delegate.port}, only {ports}"
    if any(tpu.state == DeviceState.READY for tpu in meant):
        return None
    return f"{meant[0].where}: {meant[0].reason}"


def why_mismatched(name: str, compiled: bool, delegate: Delegate) -> str | None:
    """Say why a model and a delegate are known not to go together; None where they may.

    Args:
        name: The model's file.
        compiled: Whether it was compiled for the Edge TPU.
        delegate: What shall run it.
    """
    if delegate.traits.compiled and not compiled:
        return (
            f"{name} is not compiled for the Edge TPU, so all of it would run on the CPU: `harness edgetpu compile "
            f"{name}` makes the file to run"
        )
    if compiled and delegate.is_cpu:
        return (
            f"{name} is compiled for the Edge TPU, which {delegate} cannot run: use the file it was made from"
        )
    return None
