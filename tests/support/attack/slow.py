"""Streams that lead nowhere, and peers that never come to an end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import download
from harness.drivers import shell_device
from harness.drivers.adb import device as adb_device
from harness.drivers.adb import link, server
from harness.drivers.adb.device import AdbDevice
from harness.errors import HarnessError
from harness.farm.greeting import NoSchedulerError, greet
from tests.support.attack.calls import Answer, AttackError, checked, in_time
from tests.support.attack.stored import two_cells
from tests.support.bad_adb import CONNECT, WRITE, floods, message, peer, says, silent, trickles
from tests.support.http_server import Server, redirect
from tests.support.paths import REPOSITORY

LIMIT_S, BEYOND_S = 1.0, 30.0
"""Past a limit nothing may hang for more than 5 s at rest; the rest is a busy machine's."""

LINES = (
    "report RUN --format json",
    "report RUN",
    "models list",
    "inspect shapes-float16",
    "--help",
    "report nothing",
)
SHAPES = {
    "no stdout": "{} >&-",
    "no stderr": "{} 2>&-",
    "neither": "{} >&- 2>&-",
    "no stdin": "{} <&-",
    "none at all": "{} <&- >&- 2>&-",
    "full stdout": "{} >/dev/full",
    "full stderr": "{} 2>/dev/full",
    "both full": "{} >/dev/full 2>&1",
    "reader gone": "{} | true",
    "reader of one line": "{} | head -n 1 >/dev/null",
    "stderr without a reader": "{} 2> >(true)",
}


def streams(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Start the command with streams that are closed, full or unread: it ends, without a traceback."""
    run = two_cells(folder, "20261121-090000-0001")
    program = f"{shlex.quote(sys.executable)} -m harness --workspace {shlex.quote(str(REPOSITORY))}"
    for _ in range(faults):
        line, shape = chance.choice(LINES), chance.choice(list(SHAPES))
        command = SHAPES[shape].format(f"{program} {line.replace('RUN', str(run.folder))}")
        begin = time.monotonic()
        ended = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=300
        )
        answer = Answer(ended.returncode, ended.stdout, ended.stderr)
        checked((line, shape), answer, begin, 120)
        if shape == "full stdout" and answer.status == 0 and line != "report nothing":
            raise AttackError(f"{line}, {shape}: data was lost, and the exit status is 0")
        yield f"{shape}, exit status {answer.status}"


@contextlib.contextmanager
def _short(*limits: tuple[Any, str, float]) -> Iterator[None]:
    """Make limits short; their sizes are not what is attacked."""
    kept = [(where, name, getattr(where, name)) for where, name, _ in limits]
    for where, name, value in limits:
        setattr(where, name, value)
    try:
        yield
    finally:
        for where, name, value in kept:
            setattr(where, name, value)


def deadlines(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Speak to servers, phones, schedulers and download servers that never come to an end."""
    limits = (
        *((server, "ANSWER_S", LIMIT_S), (link, "HANDSHAKE_S", LIMIT_S), (adb_device, "DESCRIBE_S", LIMIT_S)),
        *((shell_device, "KILL_S", LIMIT_S), (download, "GRACE_S", LIMIT_S), (download, "PAUSE_S", 0.01)),
    )
    with _short(*limits):
        for _ in range(faults):
            kind = chance.choice(list(PEERS))
            what, allowed_s = PEERS[kind](chance, folder)
            begin = time.monotonic()
            with contextlib.suppress(HarnessError, NoSchedulerError):
                what()
            in_time(kind, begin, allowed_s + BEYOND_S)
            yield kind


def _says(chance: random.Random) -> Callable[[socket.socket], None]:
    noise = chance.randbytes(chance.choice((1, 30, 4000)))
    return chance.choice(
        (
            *(silent, trickles(noise), floods(noise * 100), says(noise)),
            *(trickles(b"OKAY0010abcdef"), floods(b"0123456789abcdef", b"OKAYffff"), says(b"OKAYffffabc")),
            trickles(message(CONNECT, 0x01000001, 1 << 20, b"device::")),
            floods(message(WRITE, 1, 1, b"x" * 4096)),
            says(message(CONNECT, 0x01000001, 1 << 20, length=0xFFFFFFFF)),
        )
    )


@contextlib.contextmanager
def _in_environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


Attack = tuple[Callable[[], None], float]


def _adb_server(chance: random.Random, folder: Path) -> Attack:
    behave = _says(chance)

    def ask() -> None:
        with peer(behave) as port, _in_environment("ANDROID_ADB_SERVER_PORT", str(port)):
            server.server_phones()

    return ask, LIMIT_S


def _phone(chance: random.Random, folder: Path) -> Attack:
    behave = _says(chance)

    def ask() -> None:
        with peer(behave) as port, closing(AdbDevice("phone", host="127.0.0.1", port=port)) as device:
            device.run(["true"], timeout_s=LIMIT_S)

    return ask, 3 * LIMIT_S


def _scheduler(chance: random.Random, folder: Path) -> Attack:
    behave = _says(chance)

    def ask() -> None:
        with peer(behave) as port:
            asyncio.run(greet(f"tcp://127.0.0.1:{port}", None, LIMIT_S))

    return ask, LIMIT_S


ADDRESSES = (
    "http://[::1",
    "http://127.0.0.1:99999/x",
    "http://:80:80/",
    "http://",
    "http://a b/",
    "//",
    "\u2100",
    "file:///etc/passwd",
)


def _download(chance: random.Random, folder: Path) -> Attack:
    answer = chance.choice((_dripping, _endless_headers, _absurd_length, redirect(chance.choice(ADDRESSES))))

    def ask() -> None:
        with Server() as running:
            thread = threading.Thread(
                target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
            )
            thread.start()
            running.answers["/net.tflite"] = answer
            try:
                download.download(running.url("/net.tflite"), folder / "net")
            finally:
                running.shutdown()
        raise AttackError("such a download went well")

    return ask, 4 * LIMIT_S


def _dripping(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)


def _endless_headers(handler: Any) -> None:
    handler.send_response_only(200)
    with contextlib.suppress(OSError):
        for number in range(100_000):
            handler.wfile.write(b"X-%d: x\r\n" % number)


def _absurd_length(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "9" * 400)
    handler.end_headers()


PEERS: dict[str, Callable[[random.Random, Path], Attack]] = {
    "adb server": _adb_server,
    "phone": _phone,
    "scheduler": _scheduler,
    "download": _download,
}
