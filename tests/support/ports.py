"""Ports for servers that tests start, stop and start again."""

import random
import socket
from contextlib import closing

BELOW_THOSE_OF_CLIENTS = range(20_000, 32_000)
"""The system gives none of these to who only connects: while a server is down, nobody takes its port."""


def free_port() -> int:
    """Return a port of loopback on which nobody listens; processes that ask at the same time get different ones."""
    chance = random.SystemRandom()  # Hypothesis and others seed the common one
    while True:
        port = chance.choice(BELOW_THOSE_OF_CLIENTS)
        with closing(socket.socket()) as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
