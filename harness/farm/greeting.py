"""Greet what listens at a scheduler's address, before Dask trusts it.

Dask's client waits without end for an address that accepts and stays silent, and takes whatever a port sends that is
none of Dask's for the sizes of arrays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import urlsplit

QUIET = ("distributed", "asyncio", "tornado")
"""Loggers that print a traceback for a loss that we notice ourselves and say in a sentence."""


PAGE_S = 5.0


class NoSchedulerError(Exception):
    """Nothing at an address speaks Dask's protocol. No HarnessError: who asked decides whether to ask again."""


async def greet(address: str, security: Any, timeout_s: float) -> None:
    """Exchange the greeting of Dask's protocol, and hang up.

    Args:
        address: The scheduler's full address.
        security: Dask's settings of TLS; None without.
        timeout_s: When to give up, whatever comes in meanwhile.

    Raises:
        NoSchedulerError: Nobody listens, or what does stays silent or is no part of a Dask cluster.
    """
    from distributed.comm import connect

    arguments = {} if security is None else security.get_connection_args("client")
    try:
        comm = await asyncio.wait_for(connect(address, timeout=timeout_s, **arguments), timeout_s)
    except (OSError, asyncio.TimeoutError) as error:
        why = str(error) or f"nothing came back within {timeout_s:.0f} s"
        raise NoSchedulerError(f"no Dask scheduler answers at {address} ({why})") from error
    except Exception as error:
        why = f"what listens there is no part of a Dask cluster: {type(error).__name__}"
        raise NoSchedulerError(f"no Dask scheduler answers at {address} ({why})") from error
    with contextlib.suppress(Exception):
        comm.abort()


async def is_page(url: str) -> bool:
    """Whether a page is served at an http address: a link that leads nowhere is not shown."""
    parts = urlsplit(url)
    asked = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
    try:
        first = await asyncio.wait_for(_first_line(parts.hostname or "", parts.port or 80, asked), PAGE_S)
    except (OSError, ValueError, asyncio.TimeoutError):
        return False
    return first.startswith(b"HTTP/") and first.split()[1:2] == [b"200"]


async def _first_line(host: str, port: int, asked: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(asked.encode())
        return await reader.readline()
    finally:
        writer.close()


def hush() -> None:
    """Keep Dask's tracebacks from the user's terminal: what they are about is said in a sentence."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def pass_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle what a task of Dask's raised after nobody waited for it any more."""
    logging.getLogger(__name__).debug("%s", context.get("message"), exc_info=context.get("exception"))
