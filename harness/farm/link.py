"""The client's connection to a farm: steps go out in batches, results come back, losses are noticed and tried again.

Everything here runs in one event loop in a thread of its own; the threads that measure wait for it. A step is one Dask
task that takes its device's resources. Batches matter: asking the scheduler for one task at a time costs it 2.5 ms a
step, asking for all that came up within a few milliseconds 0.6 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import FarmError
from harness.farm import tasks
from harness.farm.hosts import HostTold, ask_hosts
from harness.farm.wire import Offer, Result, decode

if TYPE_CHECKING:
    from distributed import Client

_LOG = logging.getLogger(__name__)
BATCH_S = 0.01
CONNECT_S = 10.0
FIRST_S = 5.0
INVENTORY_S = 1.0
MOST_PAUSE_S = 10.0
GATHER_S = 10.0
"""A batch of results that takes longer is asked for one by one, so that one lost host does not hold up the others."""
MOST_LOSSES = 3
"""A step whose device, or whose host, went away so often while it was measured is blamed for it."""

MOST_SHIPMENTS = 5

T = TypeVar("T")
Resources = Mapping[str, float]


class DeviceGoneError(Exception):
    """A device was not seen for as long as a run waits. No HarnessError: it ends a lane, and is no cell's failure."""


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


class Link:
    """A connection to a scheduler.

    Args:
        address: The scheduler's full address.
        security: Dask's settings of TLS; None without.
        wait_s: How long to wait for a device, or for the scheduler, that went away.

    Raises:
        FarmError: No scheduler answers there.
    """

    def __init__(self, address: str, security: Any = None, wait_s: float = 300.0) -> None:
        self.address, self._security, self.wait_s = address, security, wait_s
        self._client: Client | None = None
        self._outgoing: list[Ticket] = []
        self._arrived: list[Ticket] = []
        self._under_way: dict[str, Ticket] = {}
        self._seen: dict[str, float] = {}
        self._where: dict[str, frozenset[str]] = {}
        self._alive: frozenset[str] = frozenset()
        self._trouble = ""
        self._attempts = itertools.count()
        self._closed = False
        # Losses are noticed here and told in a sentence; Dask would print a traceback for each.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="farm-link", daemon=True)
        self._thread.start()
        try:
            self.wait_for(self._start())
        except BaseException:
            self.close()
            raise

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the link's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Leave the farm. Steps that are under way are finished by their hosts and kept there."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    @property
    def dashboard(self) -> str | None:
        """The address of Dask's dashboard; None where it has none."""
        client = self._client
        info = {} if client is None else client.scheduler_info(n_workers=0).get("services", {})
        return None if client is None or "dashboard" not in info else client.dashboard_link

    def tell(self) -> list[HostTold]:
        """Ask every host what it has; one of another version says so as its problem."""
        return self.wait_for(self._tell())

    def where(self, device: str) -> frozenset[str]:
        """Return the addresses of the hosts that offered a device, or a kind, when the scheduler was last asked."""
        return self._where.get(device, frozenset())

    def is_alive(self, address: str) -> bool:
        """Whether a worker was there when the scheduler was last asked."""
        return address in self._alive

    @property
    def resources(self) -> frozenset[str]:
        """Every device and kind that was offered when the scheduler was last asked."""
        return frozenset(self._where)

    def perform(
        self, offer: Offer, key: str, payload: bytes, sources: Mapping[str, Any], patient: bool = True
    ) -> Result:
        """Have a step performed where its device is, and return what became of it.

        Args:
            offer: The device.
            key: The step's.
            payload: The `Step`, encoded.
            sources: Paths of this computer by sha256, for files that the host lacks.
            patient: Whether to wait for a device that went away; else DeviceGoneError comes at once.

        Raises:
            DeviceGoneError: The device was not seen for the stated wait.
        """
        return self.wait_for(self._perform(offer, key, payload, sources, patient))

    def forget(self, run: str) -> None:
        """Let the hosts drop what they keep of a run; those that do not answer drop it by its age."""
        with contextlib.suppress(Exception):
            self.wait_for(asyncio.wait_for(self._forget(run), CONNECT_S))

    async def _start(self) -> None:
        from harness.farm.courier import Courier

        self._wake = asyncio.Event()
        self._news = asyncio.Condition()
        self._connecting = asyncio.Lock()
        self.courier = Courier(self)
        try:
            await self.client(timeout_s=FIRST_S)
        except DeviceGoneError as error:
            raise FarmError(f"{error}; start one there with `dask scheduler`, see the README") from error
        await self._look()
        self._tasks = [asyncio.create_task(work()) for work in (self._deliver, self._watch)]

    async def _stop(self) -> None:
        for task in getattr(self, "_tasks", ()):
            task.cancel()
        if self._client is not None:
            await self._client.close()

    async def client(self, timeout_s: float = CONNECT_S) -> Client:
        """Return a client that is connected, anew where the scheduler was lost.

        Raises:
            DeviceGoneError: No scheduler answered for the stated wait.
        """
        from distributed import Client

        deadline = time.monotonic() + timeout_s
        async with self._connecting:
            while self._client is None or self._client.status != "running":
                await self._drop_client()
                try:
                    self._client = await Client(
                        self.address,
                        security=self._security,
                        asynchronous=True,
                        set_as_default=False,
                        timeout=timeout_s,
                        name="harness",
                    )
                except (OSError, ValueError) as error:
                    if time.monotonic() > deadline:
                        why = f"no Dask scheduler answers at {self.address} ({error})"
                        raise DeviceGoneError(why) from error
                    await asyncio.sleep(0.5)
            return self._client

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.status != "closed":
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), CONNECT_S)

    async def _tell(self) -> list[HostTold]:
        client = await self.client()
        return await ask_hosts(client, (await self._identity(client))["workers"])

    async def _forget(self, run: str) -> None:
        client = await self.client(FIRST_S)
        await client.run(tasks.forget, run, on_error="ignore")

    async def _watch(self) -> None:
        """Keep the inventory: where which device is, and since when it is not."""
        while True:
            begin = time.monotonic()
            pause = INVENTORY_S
            try:
                await self._look()
                # A large farm's inventory takes a while; looking must not become all that the scheduler does.
                pause = min(max(pause, 20 * (time.monotonic() - begin)), MOST_PAUSE_S)
            except (OSError, DeviceGoneError, asyncio.TimeoutError) as error:
                # Nothing is known to be anywhere: steps wait until a scheduler tells, and not for ever.
                self._where, self._trouble = {}, str(error) or "the scheduler does not answer"
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        client = await self.client()
        identity = await self._identity(client)
        where: dict[str, set[str]] = {}
        for address, worker in identity["workers"].items():
            for name, amount in worker["resources"].items():
                if amount > 0:
                    where.setdefault(name, set()).add(address)
        self._where = {name: frozenset(addresses) for name, addresses in where.items()}
        self._seen.update(dict.fromkeys(where, time.monotonic()))
        self._trouble = ""
        for ticket in list(self._under_way.values()):
            if not ticket.addresses & self.where(ticket.device):
                ticket.ended.set()

    async def _identity(self, client: Client) -> dict[str, Any]:
        scheduler: Any = client.scheduler
        identity: dict[str, Any] = await asyncio.wait_for(scheduler.identity(), CONNECT_S)
        self._alive = frozenset(identity["workers"])
        return identity

    async def _perform(
        self, offer: Offer, key: str, payload: bytes, sources: Mapping[str, Any], patient: bool
    ) -> Result:
        losses = shipments = 0
        since = time.monotonic()
        while True:
            addresses = await self._present(offer.name, since, patient)
            ticket = await self._attempt(offer, key, payload, addresses)
            if ticket.killed:
                return Result(key=key, outcome="failed", host="", message=ticket.killed)
            if ticket.result is None:
                continue
            result = decode(ticket.result, Result)
            if result.outcome == "missing":
                shipments += 1
                if shipments > MOST_SHIPMENTS:
                    raise FarmError(f"{result.host}: {len(result.missing)} file(s) do not arrive there whole")
                await self.courier.ship(result, addresses, sources)
            elif result.outcome in {"lost", "absent"}:
                losses += result.outcome == "lost"
                if losses >= MOST_LOSSES:
                    return result
                await self._next_look()
                await self._next_look()
            else:
                return result

    async def _present(self, device: str, since: float, patient: bool) -> frozenset[str]:
        """Wait until some host offers a device."""
        while not self.where(device):
            last = max(since, self._seen.get(device, 0.0))
            waited = time.monotonic() - last
            if waited > self.wait_s or not patient:
                why = f" ({self._trouble})" if self._trouble else ""
                raise DeviceGoneError(f"{device} was not seen on the farm for {waited:.0f} s{why}")
            await self._next_look()
        return self.where(device)

    async def _next_look(self) -> None:
        async with self._news:
            await self._news.wait()

    async def _attempt(self, offer: Offer, key: str, payload: bytes, addresses: frozenset[str]) -> Ticket:
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
        """Take a task back that waits for a device which is not there; one that runs ends by itself."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(ticket.future.cancel(force=True), CONNECT_S)

    async def _deliver(self) -> None:
        """Send what came up, and fetch what is done, a batch at a time."""
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
            client = await self.client()
            table = {ticket.key: dict(ticket.resources) for ticket in tickets}
            futures = client.map(
                tasks.perform,
                [ticket.payload for ticket in tickets],
                key=[ticket.key for ticket in tickets],
                resources=partial(_resources_of, table),  # Dask calls it with each key
                pure=False,
            )
        except Exception as error:  # whatever it was, the attempts are over and are begun again
            _LOG.debug("a batch could not be sent: %s", error)
            for ticket in tickets:
                ticket.ended.set()
            return
        for ticket, future in zip(tickets, futures, strict=True):
            ticket.future = future
            future.add_done_callback(partial(self._told_done, ticket))

    def _told_done(self, ticket: Ticket, future: Any) -> None:
        """A task ended, well or not; called by a thread of Dask's."""
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
            client = await self.client()
            gathering = client.gather([ticket.future for ticket in finished])
            results = await asyncio.wait_for(gathering, GATHER_S)
        except Exception as error:
            _LOG.debug("a batch could not be fetched: %s", error)
            await asyncio.gather(*(self._fetch_one(ticket) for ticket in finished))
            return
        for ticket, result in zip(finished, results, strict=True):
            _settle(ticket, result)

    async def _fetch_one(self, ticket: Ticket) -> None:
        """Fetch one result, for as long as its device is seen."""
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
        """A task that ended without a result: its workers were killed, it raised, or the scheduler was lost."""
        if ticket.future.status == "error":
            from distributed import KilledWorker

            error = await ticket.future.exception()
            if isinstance(error, KilledWorker):
                ticket.killed = f"its host's worker died {MOST_LOSSES + 1} times while this was measured"
            else:
                ticket.killed = f"the host failed: {type(error).__name__}: {error}"
        ticket.ended.set()


def _settle(ticket: Ticket, result: bytes) -> None:
    ticket.result = result
    ticket.future.release()
    ticket.ended.set()


def _resources_of(table: Mapping[str, dict[str, float]], key: str) -> dict[str, float]:
    """The resources of one task of a batch."""
    return table[key]


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("fetching results failed", exc_info=task.exception())
