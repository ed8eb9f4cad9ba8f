"""Ask the hosts of a farm what they offer, and why one cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import IncomparableError
from harness.farm import tasks
from harness.farm.wire import HostDescription, decode, refuse_other_version

if TYPE_CHECKING:
    from distributed import Client

ANSWER_S = 10.0


@dataclass(frozen=True)
class HostAnswer:
    """A host's answer: where it is, its description, and why it cannot be used (empty where it can)."""

    address: str
    description: HostDescription
    problem: str = ""


async def ask_hosts(client: Client, addresses: Iterable[str]) -> list[HostAnswer]:
    """Ask hosts what they offer; of one that does not answer, or is of another version, the answer has a problem.

    Workers of the scheduler that this package did not start are left out.
    """
    answers = await asyncio.gather(*(_ask(client, address) for address in addresses))
    return sorted((host for host in answers if host is not None), key=lambda host: host.description.host)


async def _ask(client: Client, address: str) -> HostAnswer | None:
    nothing = HostDescription(host=address)
    try:
        asking = client.run(tasks.describe_host, workers=[address], on_error="return")
        answer = (await asyncio.wait_for(asking, ANSWER_S)).get(address)
    except (OSError, asyncio.TimeoutError) as error:
        return HostAnswer(address, nothing, f"{address}: the host does not answer ({error})")
    if not isinstance(answer, bytes):
        return (
            None if answer is None else HostAnswer(address, nothing, f"{address}: the host failed: {answer}")
        )
    try:
        refuse_other_version(answer, f"the host at {address}")
    except IncomparableError as error:
        return HostAnswer(address, nothing, str(error))
    return HostAnswer(address, decode(answer, HostDescription))
