"""What the hosts of a farm tell of themselves, and why one cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import IncomparableError
from harness.farm import tasks
from harness.farm.wire import Told, decode, refuse_other_version

if TYPE_CHECKING:
    from distributed import Client

ANSWER_S = 10.0


@dataclass(frozen=True)
class HostTold:
    """What one host told, where it is, and why it cannot be used (empty where it can)."""

    address: str
    told: Told
    problem: str = ""


async def ask_hosts(client: Client, addresses: Iterable[str]) -> list[HostTold]:
    """Ask hosts what they have; one that does not answer, or is of another version, says so as its problem.

    Workers of the scheduler that are none of ours are left out.
    """
    told = await asyncio.gather(*(_ask(client, address) for address in addresses))
    return sorted((host for host in told if host is not None), key=lambda host: host.told.host)


async def _ask(client: Client, address: str) -> HostTold | None:
    nothing = Told(host=address)
    try:
        asking = client.run(tasks.tell, workers=[address], on_error="return")
        answer = (await asyncio.wait_for(asking, ANSWER_S)).get(address)
    except (OSError, asyncio.TimeoutError) as error:
        return HostTold(address, nothing, f"{address}: the host does not answer ({error})")
    if not isinstance(answer, bytes):
        return None if answer is None else HostTold(address, nothing, f"{address}: the host failed: {answer}")
    try:
        refuse_other_version(answer, f"the host at {address}")
    except IncomparableError as error:
        return HostTold(address, nothing, str(error))
    return HostTold(address, decode(answer, Told))
