"""Send steps to the farm in batches, and fetch their results in batches.

Batches matter: asking the scheduler for one task at a time costs it 2.5 ms a step, asking for all that came up within a
few milliseconds 0.6 ms. A step is one Dask task that takes its device's resources.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any

from harness.farm import tasks
from harness.farm.wire import Offer

if TYPE_CHECKING:
    from distributed import Client

_LOG = logging.getLogger(__name__)
BATCH_S = 0.01
CANCEL_S = 10.0
GATHER_S = 10.0
"""A batch of results that takes longer is fetched one by one, so that one lost host does not hold up the others."""

Resources = Mapping[str, float]


@dataclass
class Ticket:
    """One attempt at a step: a Dask task that is under way."""

    key: str
    device: str
    payload: bytes
    resources: Resources
    addresses: frozenset[str]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    future: Any = None
    result: bytes | None = None
    killed: str = ""


class Batches:
    """The attempts that are under way; made and used in one event loop.

    Args:
        client: Gives a client that is connected, anew where the scheduler was lost.
    """

    def __init__(self, client: Callable[[], Awaitable[Client]]) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._outgoing: list[Ticket] = []
        self._arrived: list[Ticket] = []
        self._under_way: dict[str, Ticket] = {}
        self._attempts = itertools.count()
        self._closed = False
        self._delivering = asyncio.create_task(self._deliver())

    def close(self) -> None:
        """Send nothing more, and note no more results."""
        self._closed = True
        self._delivering.cancel()

    def give_up_where(self, is_gone: Callable[[Ticket], bool]) -> None:
        """End the attempts whose devices are gone; they have no result."""
        for ticket in list(self._under_way.values()):
            if is_gone(ticket):
                ticket.ended.set()

    async def attempt(self, offer: Offer, key: str, payload: bytes, addresses: frozenset[str]) -> Ticket:
        """Attempt a step once, and return the ticket when it has a result, was killed, or is lost.

        Args:
            offer: The device.
            key: The step's.
            payload: The `Step`, encoded.
            addresses: The hosts that offer the device.
        """
        name = f"{key}#{next(self._attempts)}"
        ticket = Ticket(name, offer.name, payload, offer.resources(), addresses)
        self._under_way[ticket.key] = ticket
        self._outgoing.append(ticket)
        self._wake.set()
        try:
            await ticket.ended.wait()
        finally:
            self._under_way.pop(ticket.key, None)
            if ticket.future is not None and ticket.result is None:
                await self._give_up(ticket)
        return ticket

    async def _give_up(self, ticket: Ticket) -> None:
        """Cancel a task that waits for a device which is gone; one that runs already ends by itself."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(ticket.future.cancel(force=True), CANCEL_S)

    async def _deliver(self) -> None:
        """Send new attempts and fetch results, a batch at a time."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(BATCH_S)
            self._wake.clear()
            outgoing, self._outgoing = self._outgoing, []
            arrived, self._arrived = self._arrived, []
            if outgoing:
                await self._send(outgoing)
            if arrived:
                fetching = asyncio.create_task(self._fetch(arrived))
                fetching.add_done_callback(_log_failure)

    async def _send(self, tickets: Sequence[Ticket]) -> None:
        try:
            client = await self._client()
            table = {ticket.key: dict(ticket.resources) for ticket in tickets}
            futures = client.map(
                tasks.perform,
                [ticket.payload for ticket in tickets],
                key=[ticket.key for ticket in tickets],
                resources=partial(
                    getitem, table
                ),  # called with each key by the scheduler, which imports it, too
                pure=False,
            )
        except Exception as error:  # whatever it was, the attempts are over and are begun again
            _LOG.debug("a batch could not be sent: %s", error)
            for ticket in tickets:
                ticket.ended.set()
            return
        for ticket, future in zip(tickets, futures, strict=True):
            ticket.future = future
            future.add_done_callback(partial(self._note_ended, ticket))

    def _note_ended(self, ticket: Ticket, future: Any) -> None:
        """Note that a task ended, well or not; called in a thread of Dask's."""
        if not self._closed:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._note_done, ticket)

    def _note_done(self, ticket: Ticket) -> None:
        if ticket.key not in self._under_way:
            return
        self._arrived.append(ticket)
        self._wake.set()

    async def _fetch(self, tickets: Sequence[Ticket]) -> None:
        finished = [ticket for ticket in tickets if ticket.future.status == "finished"]
        for ticket in tickets:
            if ticket not in finished:
                await self._fail(ticket)
        if not finished:
            return
        try:
            client = await self._client()
            gathering = client.gather([ticket.future for ticket in finished])
            results = await asyncio.wait_for(gathering, GATHER_S)
        except Exception as error:
            _LOG.debug("a batch could not be fetched: %s", error)
            await asyncio.gather(*(self._fetch_one(ticket) for ticket in finished))
            return
        for ticket, result in zip(finished, results, strict=True):
            _settle(ticket, result)

    async def _fetch_one(self, ticket: Ticket) -> None:
        """Fetch one result, for as long as its device is on the farm."""
        fetching = asyncio.ensure_future(ticket.future.result())
        ended = asyncio.ensure_future(ticket.ended.wait())
        await asyncio.wait({fetching, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if fetching.done() and not fetching.cancelled() and fetching.exception() is None:
            _settle(ticket, fetching.result())
        else:
            fetching.cancel()
            ticket.ended.set()

    async def _fail(self, ticket: Ticket) -> None:
        """End an attempt without a result: its workers were killed, it raised, or the scheduler was lost."""
        if ticket.future.status == "error":
            from distributed import KilledWorker

            error = await ticket.future.exception()
            if isinstance(error, KilledWorker):
                ticket.killed = (
                    f"its host's worker died {error.allowed_failures + 1} times while this was measured"
                )
            else:
                ticket.killed = f"the host failed: {type(error).__name__}: {error}"
        ticket.ended.set()


def _settle(ticket: Ticket, result: bytes) -> None:
    ticket.result = result
    ticket.future.release()
    ticket.ended.set()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("fetching results failed", exc_info=task.exception())
