"""One file over HTTP, from a server that nobody has reason to trust.

What it sends is bounded in bytes and in time: whatever trickles in, headers or body, an attempt ends when it is slower
than a stated rate. Addresses are http or https, and so are the redirects that they give.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import FetchError

if TYPE_CHECKING:
    import requests

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes received so far and the total, None when the server does not say."""

MAX_BYTES = 2_000_000_000
"""A flatbuffer cannot be larger than 2 GiB; nothing longer is downloaded or unpacked."""
ATTEMPTS = 4
PAUSE_S = 0.5
"""Before the second attempt; doubled before each further one."""
GRACE_S = 120.0
"""Until the first bytes of the body are here, with all redirects."""
LEAST_RATE = 1_000.0
"""Bytes a second; a modem is faster."""

_CHUNK = 1 << 16
_TIMEOUT_S = (15.0, 60.0)  # connect, silence between two chunks
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TryAgainError(Exception):
    """A failure that may be gone at the next attempt."""


def download(url: str, target: Path, on_progress: OnProgress | None = None) -> None:
    """Download to `target`, with several attempts where a failure may pass.

    Raises:
        FetchError: It cannot be had, is too long, or comes too slowly.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _watched() as watch:
                _attempt(url, target, watch, on_progress)
            return
        except _TryAgainError as error:
            if attempt == ATTEMPTS:
                raise FetchError(f"{error} (tried {ATTEMPTS} times)") from error
            time.sleep(PAUSE_S * 2 ** (attempt - 1))


class _Watch:
    """Ends the connections of an attempt that is slower than `LEAST_RATE`, which no timeout between two bytes can."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._done = 0
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self.fired = ""

    def add(self, connection: socket.socket) -> None:
        """Note a connection of the attempt."""
        self._sockets.append(connection)
        if self.fired:
            _cut(connection)

    def received(self, n_bytes: int) -> None:
        """Note how much of the body is here."""
        self._done = n_bytes

    def run(self) -> None:
        """Wait until the attempt is over or too slow."""
        while not self._over.wait(max(0.01, self._left())):
            if self._left() <= 0:
                passed = time.monotonic() - self._begin
                self.fired = f"too slow: {self._done:,} bytes of the body in {passed:.0f} s; given up"
                for connection in tuple(self._sockets):
                    _cut(connection)
                return

    def end(self) -> None:
        """Say that the attempt is over."""
        self._over.set()

    def _left(self) -> float:
        return self._begin + GRACE_S + self._done / LEAST_RATE - time.monotonic()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _watched() -> Iterator[_Watch]:
    watch = _Watch()
    thread = threading.Thread(target=watch.run, name="download-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


def _attempt(url: str, target: Path, watch: _Watch, on_progress: OnProgress | None) -> None:
    import requests
    import urllib3

    final = (requests.exceptions.SSLError, requests.exceptions.TooManyRedirects, ValueError)
    try:
        with _session(watch) as session, session.get(url, stream=True, timeout=_TIMEOUT_S) as response:
            _check_status(response)
            _save(response, target, watch, on_progress)
        if watch.fired:  # a connection that is cut in its headers reads as one that ends there
            raise FetchError(watch.fired)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        if watch.fired:
            raise FetchError(watch.fired) from error
        if isinstance(error, final):  # a malformed address, here or in a redirect, is a ValueError
            raise FetchError(str(error)) from error
        raise _TryAgainError(f"the connection failed: {_innermost(error)}") from error


def _innermost(error: BaseException) -> BaseException:
    """Return the failure that the libraries wrapped in their own, which repeat the address."""
    inner = getattr(error, "reason", None) or next(
        (one for one in error.args if isinstance(one, Exception)), None
    )
    return _innermost(inner) if isinstance(inner, BaseException) else error


def _session(watch: _Watch) -> requests.Session:
    import requests

    from harness.version import __version__

    session = requests.Session()
    session.auth = _no_credentials  # otherwise requests would send what is in ~/.netrc
    session.headers.update({"User-Agent": f"ondevice-harness/{__version__}", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _adapter(watch))
    return session


def _adapter(watch: _Watch) -> Any:
    """Make what opens connections for requests, so that the watch knows each of them."""
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def known(pool: Any) -> Any:
        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                watch.add(self.sock)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    pools = {"http": known(HTTPConnectionPool), "https": known(HTTPSConnectionPool)}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
            super().init_poolmanager(*arguments, **settings)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: Any, **settings: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **settings)
            manager.pool_classes_by_scheme = pools
            return manager

    return Adapter()


def _no_credentials(request: Any) -> Any:
    return request


def _check_status(response: requests.Response) -> None:
    if response.status_code == 200:
        return
    text = f"the server answered {response.status_code} {response.reason}"
    if response.status_code in _RETRIED:
        raise _TryAgainError(text)
    raise FetchError(text)


def _save(response: requests.Response, target: Path, watch: _Watch, on_progress: OnProgress | None) -> None:
    """Write the body as it comes over the wire and compare its length with what was announced."""
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if total is not None and total > MAX_BYTES:
        raise FetchError(f"longer than {MAX_BYTES:,} bytes; refused")
    done = 0
    with target.open("wb") as file:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            done += len(chunk)
            watch.received(done)
            if done > MAX_BYTES:
                raise FetchError(f"longer than {MAX_BYTES:,} bytes; refused")
            file.write(chunk)
            if on_progress is not None:
                on_progress(done, total)
    if total is not None and done != total:
        raise _TryAgainError(f"got {done:,} of {total:,} bytes")
