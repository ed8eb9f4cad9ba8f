"""The functions that Dask runs on a host: bytes in and out, called by reference, so that no code is sent.

Dask's scheduler imports this module too, to read what it passes on: what measures is imported on the hosts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.farm.host import Host

ATTRIBUTE = "harness_host"
"""Name of the attribute of Dask's worker that holds its host."""


def host_here() -> Host:
    """Return the host of the worker that runs this task."""
    from distributed import get_worker

    return _host_of(get_worker())


def _host_of(worker: Any) -> Host:
    host: Host = getattr(worker, ATTRIBUTE)
    return host


def perform(step: bytes) -> bytes:
    """Perform a step; a Dask task."""
    return host_here().perform(step)


def store(parcel: Sequence[tuple[bytes, int, bytes]], after: None = None) -> None:
    """Write parts of files, each as (`File`, offset, data); a Dask task that runs `after` another one."""
    import msgspec

    from harness.farm.wire import File

    contents = host_here().contents
    for file, offset, data in parcel:
        contents.write(msgspec.msgpack.decode(file, type=File), offset, data)


def describe_host(dask_worker: Any = None) -> bytes | None:
    """Return a `HostDescription`, encoded; None from a worker that is no host of ours. For `Client.run`."""
    host = getattr(dask_worker, ATTRIBUTE, None)
    return None if host is None else host.describe()


def forget(run: str, dask_worker: Any = None) -> None:
    """Drop the results kept of a run. For `Client.run`."""
    host = getattr(dask_worker, ATTRIBUTE, None)
    if host is not None:
        host.forget(run)
