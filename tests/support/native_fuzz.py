"""Jobs of the native worker, and jobs that are damaged: lines, words, numbers and stated bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import numpy as np

from harness.native.job import (
    END,
    FORGET,
    STATE,
    WHOLE,
    Cut,
    deadline_command,
    infer_command,
    input_value,
    operators_command,
    prefetch_command,
    table_command,
    time_command,
)
from tests.support.native_worker import Worker

IMAGE = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
"""What the stand-in for LiteRT takes."""
NUMBERS = (
    b"0 -1 1 47 48 49 65536 2147483648 4294967296 9223372036854775807 9223372036854775808 -9223372036854775808 "
    b"1e9 nan inf 0x1p-1074 3:1 0:2"
).split(b" ")
DEADLINE_S = 20
"""A number may ask for hours, which the worker then takes; the clock that every job starts ends it in words."""
_DEADLINES = re.compile(rb"deadline \d+\n")
WORDS = (
    b"compile end time infer cut whole input inputs table prefetch forget deadline raw mapped hold state profile "
    b"operators library option model"
).split()


def jobs(worker: Worker, generator: random.Random, n: int) -> Iterator[bytes]:
    """Make jobs of commands in any order; their numbers are small, so that none takes long."""
    for _ in range(n):
        commands = [
            input_value(0, IMAGE),
            time_command(generator.randint(1, 5), 0, 0.01, hold=generator.random() < 0.3),
            infer_command(generator.randrange(9), IMAGE, mapped=generator.random() < 0.5),
            infer_command(generator.randrange(9), IMAGE),
            Cut(1, 2, 0, 3, generator.uniform(-130, 130), ((0, 1),)).line(),
            Cut(0, 1, 0, 4, generator.uniform(0, 2000)).line(),
            operators_command(1, 0),
            deadline_command(0),
            WHOLE,
            STATE,
            FORGET + input_value(0, IMAGE),
        ]
        chosen = generator.choices(commands, k=generator.randint(1, 8))
        profile = operators_command(1, 0) in chosen
        first = [prefetch_command(generator.choice((1, 7, 48, 4096)))] if generator.random() < 0.5 else []
        first += [table_command(np.tile(np.arange(256, dtype=np.uint8), (3, 1))), input_value(0, IMAGE)]
        yield (
            worker.setup("model", profile=profile, deadline_s=DEADLINE_S) + b"".join((*first, *chosen)) + END
        )


def mutate(job: bytes, generator: random.Random) -> bytes:
    """Damage a job in one to four places, mostly behind its setup."""
    setup, compile_line, rest = job.partition(b"compile\n") if generator.random() < 0.9 else (b"", b"", job)
    for _ in range(generator.choice((1, 1, 2, 4))):
        rest = generator.choice((_byte, _number, _line, _cut, _word, _insert))(rest, generator)
    return _DEADLINES.sub(b"deadline %d\n" % DEADLINE_S, setup + compile_line + rest)


def _byte(job: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(job) or 1)
    return job[:at] + bytes([generator.randrange(256)]) + job[at + 1 :]


def _number(job: bytes, generator: random.Random) -> bytes:
    lines = job.split(b"\n")
    at = generator.randrange(len(lines))
    words = lines[at].split(b" ")
    words[generator.randrange(len(words))] = generator.choice(NUMBERS)
    lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _line(job: bytes, generator: random.Random) -> bytes:
    lines = job.split(b"\n")
    a, b = generator.randrange(len(lines)), generator.randrange(len(lines))
    if generator.random() < 0.5:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines.insert(a, lines[b])
    return b"\n".join(lines)


def _cut(job: bytes, generator: random.Random) -> bytes:
    return job[: generator.randrange(len(job) + 1)]


def _word(job: bytes, generator: random.Random) -> bytes:
    return job.replace(generator.choice(WORDS), generator.choice(WORDS), 1)


def _insert(job: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(job) + 1)
    return job[:at] + generator.randbytes(generator.choice((1, 8, 300))) + job[at:]
