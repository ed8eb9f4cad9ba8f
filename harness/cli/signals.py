"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it began is put away, and it says how it goes on."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def end_on_signals() -> None:
    """Let the signals that ask for an end raise KeyboardInterrupt, but not those that nohup took away."""
    with contextlib.suppress(ValueError):  # not in the main thread
        for number in _ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """Let none of them, nor Ctrl-C, end what is still to be said."""
    with contextlib.suppress(ValueError):
        for number in (*_ENDING, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
