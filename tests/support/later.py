"""Something that happens to a device while a test goes on."""

import threading
import time
from contextlib import contextmanager

NOTICED_S = 40.0
"""A loss is noticed sooner, on a busy computer too; what waits for the end of a command waits longer."""
LASTS_S = 120
"""So long do commands take that a loss should end."""


@contextmanager
def later(seconds, action):
    """Do something in so many seconds; gives the time it was begun at."""
    done: list[float] = []

    def act():
        done.append(time.monotonic())
        action()

    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield done
    finally:
        timer.join()
