"""The command line called in this process, and what every fault must leave as it is."""

from __future__ import annotations

import hashlib
import io
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli.main import main as harness

LIMIT_S = 60.0
"""A report of two cells takes a fraction of a second; on a machine that does much else, some seconds."""
STATUSES = frozenset({0, 1, 2, 3})


class AttackError(AssertionError):
    """Something gave way."""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def call(fault: object, *args: object) -> Answer:
    """Call the command line.

    Raises:
        AttackError: It printed a traceback, ended oddly or took too long.
    """
    out, err, begin = io.StringIO(), io.StringIO(), time.monotonic()
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    status: Any = None
    try:
        harness([str(part) for part in args])
    except SystemExit as left:
        status = left.code
    finally:
        sys.stdout, sys.stderr = kept
    return checked(fault, Answer(status, out.getvalue(), err.getvalue()), begin, LIMIT_S)


def checked(fault: object, answer: Answer, begin: float, limit_s: float) -> Answer:
    """Return an answer that is in order.

    Raises:
        AttackError: It has a traceback, an odd status, or came too late.
    """
    if "Traceback" in answer.err or answer.status not in STATUSES:
        raise AttackError(f"{fault}: exit status {answer.status}: {answer.err[-2000:]}")
    in_time(fault, begin, limit_s)
    return answer


def in_time(fault: object, begin: float, limit_s: float) -> None:
    """Check that something took no longer than it may.

    Raises:
        AttackError: It did.
    """
    if time.monotonic() - begin > limit_s:
        raise AttackError(f"{fault}: took {time.monotonic() - begin:.0f} s, may take {limit_s:.0f} s")


def state_of(folder: Path) -> str:
    """Return a hash over everything below a folder: names, kinds, rights, links, content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found = path.lstat()
        digest.update(f"{path.relative_to(folder)} {found.st_mode} {found.st_ino}".encode(errors="replace"))
        if stat.S_ISREG(found.st_mode):
            digest.update(path.read_bytes())
        elif stat.S_ISLNK(found.st_mode):
            digest.update(str(path.readlink()).encode(errors="replace"))
    return digest.hexdigest()
