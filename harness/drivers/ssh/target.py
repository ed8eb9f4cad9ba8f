"""Hosts for OpenSSH's client, and the options that it is always started with.

The client that the user has does the work, so ~/.ssh/config, the agent, certificates, ProxyJump and hashed known hosts
mean here what they mean in a terminal. What is laid down regardless: nothing is ever asked, an unknown host key is
refused, nothing is forwarded, and a host that falls silent is given up after `ALIVE_S` × `ALIVE_COUNT` seconds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from harness.errors import UsageError

CONFIG_VARIABLE = "HARNESS_SSH_CONFIG"
"""Names a file to read in place of ~/.ssh/config (ssh's -F)."""
CONNECT_S, ALIVE_S, ALIVE_COUNT = 10, 3, 3
_URL = re.compile(r"ssh://(?:(?P<user>[^@/]+)@)?(?P<host>\[[^\]/]+\]|[^:@/\[\]]+)(?::(?P<port>\d+))?/?")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%+-]*")
"""What a host or a user may look like; a leading dash would be an option of ssh."""
_JUMP = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9._:%+@,\[\]/-]*")


@dataclass(frozen=True)
class Target:
    """A host as `ssh` takes it. What is empty or None is left to ~/.ssh/config.

    Attributes:
        host: A name, an address, or a `Host` of ~/.ssh/config.
        user: The user to log in as.
        port: The port of its sshd.
        identity: A file with the private key.
        jump: Hosts to go through, as for `ssh -J`.
    """

    host: str
    user: str = ""
    port: int | None = None
    identity: str = ""
    jump: str = ""

    def __str__(self) -> str:
        """Return the spelling that follows `ssh://`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user + '@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    def check(self) -> None:
        """Refuse what ssh would take for something else.

        Raises:
            UsageError: Names the part, what was found and what is expected.
        """
        for key, value, pattern in (
            ("host", self.host, _WORD),
            ("user", self.user or "x", _WORD),
            ("jump", self.jump or "x", _JUMP),
        ):
            if not pattern.fullmatch(value):
                raise UsageError(
                    f"ssh {key} {value!r}: expected a name or an address, with nothing in it but letters, digits and "
                    ". _ : % + -"
                )
        if self.port is not None and not 0 < self.port < 65536:
            raise UsageError(f"ssh port: found {self.port}, expected 1 to 65535")


def parse_target(text: str) -> Target:
    """Read `ssh://[USER@]HOST[:PORT]`.

    Raises:
        UsageError: It does not have this form.
    """
    match = _URL.fullmatch(text)
    if match and ":" in (match["user"] or ""):
        raise UsageError(
            "an ssh:// address holds no password: leave it out, and let a key or the agent log you in"
        )
    if not match:
        raise UsageError(f"device {text!r}: expected the form ssh://USER@HOST[:PORT]")
    port = match["port"]
    target = Target(match["host"].strip("[]"), match["user"] or "", int(port) if port else None)
    target.check()
    return target


def config_options() -> list[str]:
    """Return the options that name another configuration file; none for ~/.ssh/config."""
    path = os.environ.get(CONFIG_VARIABLE)
    return ["-F", path] if path else []


def client_argv(target: Target, socket: str) -> list[str]:
    """Return the command line, without the remote command, of the connection that all others share.

    Its log is needed at level DEBUG1: host keys and the keys that were offered are told nowhere else.
    """
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(CONNECT_S),
        "ServerAliveInterval": str(ALIVE_S),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ControlMaster": "yes",
        "ControlPersist": "no",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "EscapeChar": "none",
    }
    argv = ["ssh", "-v", "-T", "-S", _unexpanded(socket), *config_options(), *_as_options(options)]
    if target.user:
        argv += ["-l", target.user]
    if target.port is not None:
        argv += ["-p", str(target.port)]
    if target.identity:
        argv += ["-i", target.identity]
    if target.jump:
        argv += ["-J", target.jump]
    return [*argv, "--", target.host]


def session_argv(socket: str) -> list[str]:
    """Return the command line, without the remote command, of one more session on a connection that is there.

    Where the connection is gone, `ProxyCommand=false` keeps ssh from making one of its own.
    """
    options = {"ControlMaster": "no", "ProxyCommand": "false", "LogLevel": "ERROR", "EscapeChar": "none"}
    return ["ssh", "-F", "none", "-S", _unexpanded(socket), "-T", *_as_options(options), "--", "board"]


def environment() -> dict[str, str]:
    """Return this process's environment without what could make ssh ask somebody for something."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"DISPLAY", "SSH_ASKPASS", "WAYLAND_DISPLAY"}
    }
    return {**kept, "SSH_ASKPASS_REQUIRE": "never"}


def _unexpanded(path: str) -> str:
    """Return a path that ssh takes as it is: it replaces `%h` and the like (TOKENS of ssh_config(5))."""
    return path.replace("%", "%%")


def _as_options(options: dict[str, str]) -> list[str]:
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
