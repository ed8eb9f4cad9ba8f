"""Connect the client to a farm: know which host offers which device, and repeat steps whose host or device is lost.

Everything here runs in one event loop in a thread of its own; the threads that measure wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import FarmError
from harness.farm import tasks
from harness.farm.batches import Batches
from harness.farm.greeting import NoSchedulerError, greet, hush, is_page, pass_over
from harness.farm.hosts import HostAnswer, ask_hosts
from harness.farm.wire import Offer, Outcome, Result, decode

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10.0
FIRST_S = 5.0
LEAST_S = 1.0
"""The shortest time that a scheduler has to answer, however late it is."""
INVENTORY_S = 1.0
MOST_PAUSE_S = 10.0
MOST_LOSSES = 3
"""A step is given up when its device, or host, went away so often while it was measured: it may be the cause."""

MAX_TRANSFERS = 5

T = TypeVar("T")


class DeviceGoneError(Exception):
    """A device was not seen for as long as a run waits.

    No HarnessError: it ends the device's part of a run, and is no cell's failure.
    """


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
        self._seen: dict[str, float] = {}
        self._addresses: dict[str, frozenset[str]] = {}
        self._alive: frozenset[str] = frozenset()
        self._trouble = ""
        self._closed = False
        self._watching: asyncio.Task[None] | None = None
        hush()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(pass_over)
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
        """Leave the farm; hosts finish the steps that are under way and keep the results."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    @property
    def dashboard(self) -> str | None:
        """The address of Dask's dashboard; None where it has none, or none that is reached from here."""
        client = self._client
        info = {} if client is None else client.scheduler_info(n_workers=0).get("services", {})
        if client is None or "dashboard" not in info:
            return None
        link: str = client.dashboard_link
        return link if self.wait_for(is_page(link)) else None

    def describe_hosts(self) -> list[HostAnswer]:
        """Ask every host what it offers; of one of another version, the answer says so as its problem."""
        return self.wait_for(self._describe_hosts())

    def addresses_of(self, device: str) -> frozenset[str]:
        """Return the addresses of the hosts that offered a device, or a kind, when the scheduler was last asked."""
        return self._addresses.get(device, frozenset())

    def is_alive(self, address: str) -> bool:
        """Whether a worker was there when the scheduler was last asked."""
        return address in self._alive

    @property
    def resources(self) -> frozenset[str]:
        """Every device and kind that was offered when the scheduler was last asked."""
        return frozenset(self._addresses)

    def perform(
        self, offer: Offer, key: str, payload: bytes, sources: Mapping[str, Any], patient: bool = True
    ) -> Result:
        """Have a step performed on a host that offers its device, and return the result.

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
        """Have the hosts drop what they keep of a run; those that do not answer drop it when it is old."""
        with contextlib.suppress(Exception):
            self.wait_for(asyncio.wait_for(self._forget(run), CONNECT_S))

    async def _start(self) -> None:
        from harness.farm.file_transfer import FileTransfer

        self._news = asyncio.Condition()
        self._connecting = asyncio.Lock()
        self.transfer = FileTransfer(self)
        self._batches = Batches(self.client)
        try:
            await self.client(timeout_s=FIRST_S)
        except DeviceGoneError as error:
            remedy = (
                "start one with `harness worker --with-scheduler` on this computer, or `dask scheduler` there"
            )
            raise FarmError(f"{error}; {remedy}") from error
        await self._refresh()
        self._watching = asyncio.create_task(self._watch())

    async def _stop(self) -> None:
        self._batches.close()
        if self._watching is not None:
            self._watching.cancel()
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
                left = max(LEAST_S, deadline - time.monotonic())
                try:
                    await greet(self.address, self._security, left)
                    self._client = await asyncio.wait_for(self._connected(Client, left), left + LEAST_S)
                except (OSError, ValueError, NoSchedulerError, asyncio.TimeoutError) as error:
                    if time.monotonic() > deadline:
                        raise DeviceGoneError(self._why_gone(error)) from error
                    await asyncio.sleep(0.5)
            return self._client

    async def _connected(self, kind: type[Client], timeout_s: float) -> Client:
        return await kind(
            self.address,
            security=self._security,
            asynchronous=True,
            set_as_default=False,
            timeout=timeout_s,
            name="harness",
        )

    def _why_gone(self, error: BaseException) -> str:
        if isinstance(error, NoSchedulerError):
            return str(error)
        return f"no Dask scheduler answers at {self.address} ({error or 'it stays silent'})"

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.status != "closed":
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), CONNECT_S)

    async def _describe_hosts(self) -> list[HostAnswer]:
        client = await self.client()
        return await ask_hosts(client, (await self._identity(client))["workers"])

    async def _forget(self, run: str) -> None:
        client = await self.client(FIRST_S)
        await client.run(tasks.forget, run, on_error="ignore")

    async def _watch(self) -> None:
        """Keep the inventory up to date: which host offers which device, and when each was last seen."""
        while True:
            begin = time.monotonic()
            pause = INVENTORY_S
            try:
                await self._refresh()
                # A large farm's inventory takes a while; asking for it must not keep the scheduler busy.
                pause = min(max(pause, 20 * (time.monotonic() - begin)), MOST_PAUSE_S)
            except (OSError, DeviceGoneError, asyncio.TimeoutError) as error:
                # No device is known to be anywhere: steps wait until a scheduler answers, and not for ever.
                self._addresses, self._trouble = {}, str(error) or "the scheduler does not answer"
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(pause)

    async def _refresh(self) -> None:
        client = await self.client()
        identity = await self._identity(client)
        found: dict[str, set[str]] = {}
        for address, worker in identity["workers"].items():
            for name, amount in worker["resources"].items():
                if amount > 0:
                    found.setdefault(name, set()).add(address)
        self._addresses = {name: frozenset(addresses) for name, addresses in found.items()}
        self._seen.update(dict.fromkeys(found, time.monotonic()))
        self._trouble = ""
        self._batches.give_up_where(lambda ticket: not ticket.addresses & self.addresses_of(ticket.device))

    async def _identity(self, client: Client) -> dict[str, Any]:
        scheduler: Any = client.scheduler
        identity: dict[str, Any] = await asyncio.wait_for(scheduler.identity(), CONNECT_S)
        self._alive = frozenset(identity["workers"])
        return identity

    async def _perform(
        self, offer: Offer, key: str, payload: bytes, sources: Mapping[str, Any], patient: bool
    ) -> Result:
        losses = transfers = 0
        since = time.monotonic()
        while True:
            addresses = await self._present(offer.name, since, patient)
            ticket = await self._batches.attempt(offer, key, payload, addresses)
            if ticket.killed:
                return Result(key=key, outcome=Outcome.FAILED, host="", message=ticket.killed)
            if ticket.result is None:
                continue
            result = decode(ticket.result, Result)
            if result.outcome == Outcome.MISSING:
                transfers += 1
                if transfers > MAX_TRANSFERS:
                    raise FarmError(f"{result.host}: {len(result.missing)} file(s) do not arrive there whole")
                await self.transfer.send_missing(result, addresses, sources)
            elif result.outcome in {Outcome.LOST, Outcome.ABSENT}:
                losses += result.outcome == Outcome.LOST
                if losses >= MOST_LOSSES:
                    return result
                await self._next_inventory()
                await self._next_inventory()
            else:
                return result

    async def _present(self, device: str, since: float, patient: bool) -> frozenset[str]:
        """Wait until some host offers a device."""
        while not self.addresses_of(device):
            last = max(since, self._seen.get(device, 0.0))
            waited = time.monotonic() - last
            if waited > self.wait_s or not patient:
                why = f" ({self._trouble})" if self._trouble else ""
                raise DeviceGoneError(f"{device} was not seen on the farm for {waited:.0f} s{why}")
            await self._next_inventory()
        return self.addresses_of(device)

    async def _next_inventory(self) -> None:
        async with self._news:
            await self._news.wait()
