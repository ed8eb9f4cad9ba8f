"""Why a connection over SSH failed, read from what OpenSSH's client wrote, and what to do about it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

from harness.drivers.ssh.target import Target
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from harness.text import clean

MISSING = "OpenSSH's client `ssh` is not installed here: install the package openssh-client"
FEW_SESSIONS = (
    "its sshd refuses a second session on one connection: set MaxSessions to 4 or more (10 is its default) in "
    "/etc/ssh/sshd_config there"
)
_DEBUG = re.compile(r"debug\d: ")
_SERVER_KEY = re.compile(r"Server host key: (\S+) (SHA256:\S+)")
_UNKNOWN = re.compile(r"No (\S+) host key is known for (\S+) and you have requested strict checking")
_CHANGED = re.compile(r"Host key for (\S+) has changed and you have requested strict checking")
_OFFENDING = re.compile(r"Offending (\S+) key in (.+):(\d+)")
_OFFERED = re.compile(r"Offering public key: (.+)")
_ABSENT = re.compile(r"Trying private key: (.+)")
_METHODS = re.compile(r"Permission denied \(([^)]*)\)")
_UNUSABLE_KEY = re.compile(
    r"(Load key .*|Permissions \d+ for .* are too open\..*|.*WARNING: UNPROTECTED PRIVATE KEY.*)"
)
_AUTHENTICATED = "debug1: Authenticated to "
_NOISE = (
    "Warning: Permanently added",
    "** ",
    "Pseudo-terminal",
    "OpenSSH_",
    "Transferred: ",
    "Bytes per second",
)


def connection_error(device: str, target: Target, log: Sequence[str]) -> DeviceError:
    """Return the error for a client that ended, or did not get through in time.

    Args:
        device: The device's name.
        target: The host that it was to reach.
        log: What it wrote, at level DEBUG1.
    """
    text = "\n".join(log)
    if changed := _CHANGED.search(text):
        return DeviceError(device, _changed(changed[1], text))
    if unknown := _UNKNOWN.search(text):
        return DeviceError(device, _unknown(unknown[2], target, text[: unknown.start()]))
    if denied := _METHODS.search(text):
        return DeviceError(device, _denied(target, denied[1], log))
    reason = last_words(log) or "the connection was closed without a word"
    if "timed out" in reason.lower() and _AUTHENTICATED not in text:
        return DeviceTimeoutError(device, f"cannot connect to {target}: {reason}")
    return DeviceLostError(
        device, f"{'lost' if _AUTHENTICATED in text else 'cannot connect to'} {target}: {reason}"
    )


def last_words(log: Sequence[str], most: int = 3) -> str:
    """Return the last lines that say something, without the client's log of itself."""
    said = [clean(line) for line in log if not _DEBUG.match(line) and not line.startswith(_NOISE)]
    return "; ".join(line.strip() for line in [line for line in said if line.strip()][-most:])


def _fingerprint(text: str) -> str:
    """Return the last host key that was shown: with a jump host there are two."""
    found = _SERVER_KEY.findall(text)
    return f"{found[-1][0]} {found[-1][1]}" if found else "not told"


def _unknown(host: str, target: Target, before: str) -> str:
    name, port = _split(host)
    shown = _fingerprint(before)
    kind = next((kind for kind in ("ed25519", "ecdsa", "rsa") if kind in shown), "*")
    scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{name}"
    return (
        f"the host key of {clean(host)} is not known, so {target} may be another machine: its fingerprint is "
        f"{clean(shown)}. Compare it with what the board itself says (`ssh-keygen -lf "
        f"/etc/ssh/ssh_host_{kind}_key.pub` on its own console); if they are equal, add it: "
        f"`{clean(scan)} >> ~/.ssh/known_hosts`"
    )


def _changed(host: str, text: str) -> str:
    offending = _OFFENDING.search(text)
    known, place = "not told", "known_hosts"
    if offending:
        place = f"{offending[2]}, line {offending[3]}"
        known = _known_fingerprint(host, offending[2]) or "not told"
    return (
        f"the host key of {clean(host)} has changed, so this may be another machine: found "
        f"{clean(_fingerprint(text))}, known is {clean(known)} ({clean(place)}). If the board was set up anew, "
        f"compare the fingerprint on its own console, then remove the old key with `ssh-keygen -R {clean(host)}`"
    )


def _known_fingerprint(host: str, file: str) -> str | None:
    """Return the key of a host in a file of known hosts, hashed or not: `TYPE SHA256:…`."""
    try:
        done = subprocess.run(
            [shutil.which("ssh-keygen") or "ssh-keygen", "-l", "-F", host, "-f", file],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"^\S+ (\S+) (SHA256:\S+)", done.stdout, re.MULTILINE)
    return f"{found[1]} {found[2]}" if found else None


def _denied(target: Target, methods: str, log: Sequence[str]) -> str:
    offered = [clean(line) for line in _first(_OFFERED, log)]
    absent = [clean(line) for line in _first(_ABSENT, log)]
    tried = f"it refused {'; '.join(offered)}" if offered else "no key was offered"
    looked = f" (looked for and not there, or not usable: {', '.join(absent)})" if absent else ""
    broken = [clean(found[1]) for line in log if (found := _UNUSABLE_KEY.search(line))]
    said = f". {' '.join(broken)}" if broken else ""
    return (
        f"{target} does not let us in: {tried}{looked}{said}; it takes {clean(methods)}. Add your key there "
        "(`ssh-copy-id`), name it as `identity` in the profile or IdentityFile in ~/.ssh/config, or load it into the "
        "agent (`ssh-add`) where it has a passphrase; passwords are never asked for"
    )


def _first(pattern: re.Pattern[str], log: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(found[1].strip() for line in log if (found := pattern.search(line))))


def _split(host: str) -> tuple[str, str]:
    """Split `[name]:port` of known hosts; the port is empty for 22."""
    found = re.fullmatch(r"\[(.+)\]:(\d+)", host)
    return (found[1], found[2]) if found else (host, "")
