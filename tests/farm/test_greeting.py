"""What listens at a scheduler's address need not be one: the answer is a sentence, in time, without a traceback."""

import asyncio
import contextlib
import os
import socket
import threading
import time

import pytest

from harness.errors import FarmError
from harness.farm.greeting import NoSchedulerError, greet, is_page
from harness.farm.link import FIRST_S, Link

PATIENCE_S = 60.0
"""What a loaded machine may take beyond the stated limit; an address without an end would take for ever."""


def silent(connection):
    connection.recv(1)
    threading.Event().wait(PATIENCE_S * 2)


def web(connection):
    connection.recv(10)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello")


def shell(connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.recv(1 << 16)


def garbage(connection):
    connection.sendall(os.urandom(1000))
    connection.recv(1 << 16)


def closing(connection):
    connection.close()


def drip(connection):
    connection.sendall((1).to_bytes(8, "little"))
    while True:
        connection.sendall(b"\1")
        time.sleep(0.05)


@pytest.fixture
def listen():
    """Starts a server that does one thing with each connection."""
    with contextlib.ExitStack() as opened:

        def start(answer):
            listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

            def one(connection):
                with contextlib.suppress(OSError), connection:
                    answer(connection)

            threading.Thread(target=serve, daemon=True).start()
            return f"127.0.0.1:{listening.getsockname()[1]}"

        yield start


@pytest.mark.parametrize("answer", [silent, web, shell, garbage, closing, drip])
def test_what_is_no_scheduler_is_said_in_time(answer, listen):
    begin = time.monotonic()
    with pytest.raises(NoSchedulerError, match="no Dask scheduler answers at tcp://127"):
        asyncio.run(greet(f"tcp://{listen(answer)}", None, 2.0))
    assert time.monotonic() - begin < PATIENCE_S


@pytest.mark.parametrize("answer", [silent, web])
def test_a_farm_that_is_none_is_a_sentence_that_says_what_to_start(answer, listen, capfd):
    begin = time.monotonic()
    with pytest.raises(FarmError, match="start one with `harness worker --with-scheduler`"):
        Link(f"tcp://{listen(answer)}")
    assert time.monotonic() - begin < FIRST_S + PATIENCE_S
    assert "Traceback" not in capfd.readouterr().err


def page(status):
    def answer(connection):
        connection.recv(1 << 16)
        connection.sendall(f"HTTP/1.0 {status} Whatever\r\n\r\n".encode())

    return answer


@pytest.mark.parametrize(("answer", "shown"), [(page(200), True), (page(404), False), (shell, False)])
def test_only_a_dashboard_that_is_served_is_shown(answer, shown, listen):
    assert asyncio.run(is_page(f"http://{listen(answer)}/status")) is shown


def test_a_dashboard_that_nobody_serves_is_not_shown():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert not asyncio.run(is_page(f"http://127.0.0.1:{port}/status"))
