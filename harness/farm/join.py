"""Join a Dask scheduler as a worker, and join again when the scheduler was lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.bench.request import Tls
from harness.errors import OutputError
from harness.farm.greeting import NoSchedulerError, greet, hush, is_page, pass_over
from harness.farm.host import Host
from harness.farm.security import host_of, is_loopback, make_security
from harness.farm.tasks import ATTRIBUTE

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

LOOK_S = 5.0
"""How often a host asks which devices are attached."""
AGAIN_S = 1.0
GREET_S = 10.0
THREADS = 64
"""Steps wait for devices and need no core each; more devices than this on one host take turns."""
DASK_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.scheduler.work-stealing": False,
}
"""Dask's own measuring would disturb ours: its profiler looks at every thread a hundred times a second."""

NO_DASHBOARD = "127.0.0.1:0"
"""Dask always starts an HTTP server; on this address nobody else reaches it."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Membership:
    """A host's way to a farm: the scheduler's address, certificates, and what the host itself opens.

    Attributes:
        address: The scheduler, as a full address.
        tls: Certificates.
        listen: The host's own address for others; None for loopback with a scheduler on loopback, else the one from
            which the scheduler is reached.
        with_scheduler: Whether to start the scheduler at `address`, too.
        dashboard: The address of that scheduler's dashboard; empty for none.
        look_s: How often to ask which devices are attached, in seconds.
    """

    address: str
    tls: Tls = field(default_factory=Tls)
    listen: str | None = None
    with_scheduler: bool = False
    dashboard: str = ""
    look_s: float = LOOK_S


def serve(host: Host, membership: Membership, say: Say) -> None:
    """Offer a host's devices until Ctrl-C.

    Raises:
        OutputError: The scheduler that was to be started cannot listen there.
        UsageError: The certificates cannot be used.
    """
    import dask

    hush()
    with dask.config.set(DASK_SETTINGS):
        try:
            asyncio.run(_until_ended(_serve(host, membership, say)))
        finally:
            host.close()
            end_children()


async def _until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends; SIGTERM, by which a service is stopped, ends it in order."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().set_exception_handler(pass_over)
    with contextlib.suppress(NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _serve(host: Host, membership: Membership, say: Say) -> None:
    await asyncio.to_thread(host.tidy)
    async with _scheduler(membership, say):
        while True:
            await _join_until_lost(host, membership, say)
            await asyncio.sleep(AGAIN_S)


@contextlib.asynccontextmanager
async def _scheduler(membership: Membership, say: Say) -> AsyncIterator[Scheduler | None]:
    if not membership.with_scheduler:
        yield None
        return
    from distributed import Scheduler

    scheduler = Scheduler(
        host=membership.address,
        security=make_security(membership.tls),
        dashboard=bool(membership.dashboard),
        dashboard_address=membership.dashboard or NO_DASHBOARD,
    )
    try:
        await scheduler
    except (OSError, RuntimeError, ValueError) as error:
        cause = error.__cause__ or error
        raise OutputError(f"{membership.address}: no scheduler can be started there ({cause})") from error
    say(f"scheduler at {scheduler.address}{await _dashboard(membership, scheduler)}")
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def _dashboard(membership: Membership, scheduler: Scheduler) -> str:
    """Say where the dashboard is: Dask takes another port where the one that was asked for is taken."""
    port = getattr(scheduler.services.get("dashboard"), "port", None)
    if not membership.dashboard or port is None:
        return ""
    link = f"http://{membership.dashboard.rpartition(':')[0] or '127.0.0.1'}:{port}/status"
    return f"; Dask's dashboard: {link}" if await is_page(link) else "; Dask's dashboard does not answer"


async def _join_until_lost(host: Host, membership: Membership, say: Say) -> None:
    """Join, and offer the attached devices until the scheduler is lost."""
    worker = await make_worker(host, membership)
    try:
        await greet(membership.address, make_security(membership.tls), GREET_S)
        await worker
    except (OSError, RuntimeError, ValueError, NoSchedulerError) as error:
        say(f"{membership.address}: cannot join as {host.name}: {_reason(error, host)}; trying again")
        await asyncio.sleep(LOOK_S)
        return
    say(f"joined {membership.address} as {host.name}, with {_listed(worker.state.total_resources)}")
    watching = asyncio.create_task(_watch(worker, host, membership.look_s, say))
    try:
        await worker.finished()
    finally:
        watching.cancel()
        await worker.close(executor_wait=False, reason="harness worker ends")
    say(f"{membership.address} was lost; joining again as soon as it answers")


def _reason(error: BaseException, host: Host) -> str:
    text = str(error.__cause__ or error)
    if "name taken" in text:
        return f"another host is called {host.name!r}, or was just now: if it is there to stay, use --name"
    return text


async def make_worker(host: Host, membership: Membership) -> Worker:
    """Make the worker, not started yet, with the resources that the host has now."""
    from distributed import Worker

    resources = await asyncio.to_thread(host.refresh)
    await asyncio.to_thread(host.get_ready)
    worker = Worker(
        membership.address,
        name=host.name,
        nthreads=THREADS,
        resources=resources,
        security=make_security(membership.tls),
        memory_limit=0,
        host=membership.listen or _own_address(membership.address),
        dashboard=False,
        dashboard_address=NO_DASHBOARD,
        local_directory=str(host.folder / "dask"),
    )
    setattr(worker, ATTRIBUTE, host)
    return worker


def _own_address(scheduler: str) -> str:
    """Return the address from which the scheduler is reached: the only one to listen on."""
    from distributed.utils import get_ip

    if is_loopback(scheduler):
        return "127.0.0.1"
    host = host_of(scheduler)
    return str(get_ip() if host in {"0.0.0.0", "::"} else get_ip(host))  # noqa: S104 - compared, not bound


async def _watch(worker: Any, host: Host, look_s: float, say: Say) -> None:
    """Report devices that are plugged in or out to the scheduler."""
    while True:
        await asyncio.sleep(look_s)
        before = {name: n for name, n in worker.state.total_resources.items() if n}
        now = await asyncio.to_thread(host.refresh)
        if now == before:
            continue
        for name in sorted(before.keys() - now.keys()):
            say(f"gone: {name}")
        for name in sorted(now.keys() - before.keys()):
            say(f"new: {name}")
        with contextlib.suppress(OSError):  # the scheduler is lost; the next one is told when we join
            await worker.set_resources(**dict.fromkeys(before, 0.0) | now)


def _listed(resources: dict[str, float]) -> str:
    names = sorted(name for name, amount in resources.items() if amount)
    return ", ".join(names) if names else "no device attached yet"


def end_children() -> None:
    """Kill the processes that this one started and that still measure: nobody waits for them any more."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
