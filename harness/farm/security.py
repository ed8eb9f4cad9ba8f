"""Protect a farm: loopback unless another address is given, TLS by option, and a warning where neither protects it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.bench.request import Tls
from harness.errors import MissingExtraError, UsageError
from harness.paths import expand_user, is_file, resolved

if TYPE_CHECKING:
    from distributed import Security

DEFAULT_PORT = 8786
WARNING = (
    "a Dask scheduler runs code for whoever reaches it, and this one ({address}) is reached over the network without "
    "TLS: keep the port behind a firewall, or give every side --tls-ca, --tls-cert and --tls-key"
)


def check_installed() -> None:
    """Check that Dask distributed is installed, before anything else is done.

    Raises:
        MissingExtraError: Dask distributed is not installed; says what to install.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a farm", "cluster") from error


def full_address(text: str, tls: Tls) -> str:
    """Return a full address: for `rack1`, `tcp://rack1:8786`, or `tls://rack1:8786` with certificates.

    Raises:
        UsageError: It is no address, or its protocol and the certificates do not fit together.
    """
    plain = text if "://" in text else f"{'tls' if tls else 'tcp'}://{text}"
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme not in {"tcp", "tls"} or not host or parts.path or parts.username:
        raise UsageError(f"scheduler {text!r}: expected HOST[:PORT], tcp://HOST[:PORT] or tls://HOST[:PORT]")
    if (parts.scheme == "tls") != bool(tls):
        wanted = "give --tls-ca, --tls-cert and --tls-key" if not tls else "its address begins with tls://"
        raise UsageError(f"scheduler {text!r}: certificates and tls:// belong together: {wanted}")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def make_security(tls: Tls) -> Security | None:
    """Make Dask's settings of the certificates; None without TLS.

    Raises:
        UsageError: One of the three files is not given or does not exist.
    """
    if not tls:
        return None
    files = {}
    for name in ("ca", "cert", "key"):
        value = getattr(tls, name)
        if not value:
            raise UsageError(f"--tls-{name} is missing: TLS takes --tls-ca, --tls-cert and --tls-key")
        path = expand_user(value)
        if not is_file(path):
            raise UsageError(f"--tls-{name}: {path} is not a file")
        files[name] = str(resolved(path))
    from distributed import Security

    sides = {f"tls_{side}_{name}": files[name] for side in _SIDES for name in ("cert", "key")}
    return Security(tls_ca_file=files["ca"], require_encryption=True, **sides)


_SIDES = ("client", "worker", "scheduler")


def host_of(address: str) -> str:
    """Return the host of a full address."""
    return urlsplit(address).hostname or ""


def is_loopback(address: str) -> bool:
    """Whether an address can be reached from this computer only."""
    host = host_of(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def why_unsafe(address: str, tls: Tls) -> str | None:
    """Return a warning about an address that others reach without TLS; None where it is safe."""
    return None if tls or is_loopback(address) else WARNING.format(address=address)
