"""Send files to the hosts that lack them: in parcels, once a host, however many devices of it wait for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.errors import FarmError
from harness.farm import tasks
from harness.farm.wire import File, Result

PARCEL_BYTES = 16_000_000
"""Large enough that a thousand images are few tasks, small enough that the scheduler stays responsive."""
AT_ONCE = 2
"""Parcels under way to one host: one is being written while the next one travels."""

CHECK_S = 1.0

Parcel = list[tuple[bytes, int, bytes]]


@dataclass(frozen=True)
class LocalFile:
    """A file of this computer that travels."""

    file: File
    path: Path


class Connection(Protocol):
    """The part of the connection to the scheduler that sending files needs."""

    async def client(self) -> Any:
        """Return Dask's client, connected."""

    def is_alive(self, address: str) -> bool:
        """Whether a worker was there when the scheduler was last asked."""


class FileTransfer:
    """Transfer of files over a link; all of it runs in the link's loop."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._under_way: dict[tuple[str, str], asyncio.Future[None]] = {}
        self.sent_bytes: dict[str, int] = {}
        """What each host was sent, by the identity of its folder."""

    async def send_missing(
        self, lacking: Result, addresses: frozenset[str], sources: Mapping[str, LocalFile]
    ) -> None:
        """Send the files that a host lacks; those that another step is sending already are waited for.

        Args:
            lacking: The host's answer, of outcome `missing`.
            addresses: Workers that share the folder of this host, one of which is used.
            sources: Where the files are here, by hash.
        """
        waiting, mine = [], []
        for sha256 in lacking.missing:
            key = (lacking.cache, sha256)
            if key in self._under_way:
                waiting.append(self._under_way[key])
            else:
                self._under_way[key] = asyncio.get_running_loop().create_future()
                mine.append(sources[sha256])
        try:
            await self._send(mine, lacking, min(addresses))
        finally:
            for source in mine:
                self._under_way.pop((lacking.cache, source.file.sha256)).set_result(None)
        await asyncio.gather(*waiting)

    async def _send(self, sources: Sequence[LocalFile], lacking: Result, address: str) -> None:
        """Send parcels in order; a worker that is lost meanwhile ends it, and the step asks again."""
        client: Any = await self._link.client()
        under_way: deque[Any] = deque()
        last = None
        for parcel in _parcels(sources):
            if len(under_way) >= AT_ONCE and not await self._arrived(under_way.popleft(), lacking, address):
                return
            size = sum(len(data) for _, _, data in parcel)
            self.sent_bytes[lacking.cache] = self.sent_bytes.get(lacking.cache, 0) + size
            (held,) = await client.scatter([parcel], workers=[address], hash=False)
            last = client.submit(tasks.store, held, last, workers=[address], pure=False)
            under_way.append(last)
        for future in under_way:
            await self._arrived(future, lacking, address)

    async def _arrived(self, future: Any, lacking: Result, address: str) -> bool:
        """Wait for a parcel to be stored; return False where its worker was lost."""
        ended = asyncio.ensure_future(future.exception())
        while not ended.done() and self._link.is_alive(address):
            await asyncio.wait({ended}, timeout=CHECK_S)
        if not ended.done():
            ended.cancel()
            await future.cancel(force=True)
            return False
        if future.status == "error":
            raise FarmError(f"{lacking.host}: files cannot be stored there: {ended.result()}")
        return bool(future.status == "finished")


def _parcels(sources: Sequence[LocalFile]) -> Iterator[Parcel]:
    """Cut and collect files into parcels; parts of one file come in order."""
    parcel: Parcel = []
    size = 0
    for source in sources:
        name = msgspec.msgpack.encode(source.file)
        with source.path.open("rb") as stream:
            offset = 0
            while True:
                data = stream.read(PARCEL_BYTES - size)
                parcel.append((name, offset, data))
                offset, size = offset + len(data), size + len(data)
                if size >= PARCEL_BYTES:
                    yield parcel
                    parcel, size = [], 0
                if offset >= source.file.size or not data:
                    break
    if parcel:
        yield parcel
