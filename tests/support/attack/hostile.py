"""Names that nobody would choose, at every place of the command line that takes one."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

from tests.support.attack.calls import AttackError, call, state_of
from tests.support.attack.stored import two_cells
from tests.support.paths import REPOSITORY

PIECES = (
    *(
        "a",
        ".",
        "..",
        "~",
        "~nobody-of-that-name",
        "-x",
        "--",
        "a b",
        "'",
        '"',
        "$(id)",
        "`id`",
        "%s",
        "{}",
        "*",
        "[",
        "]",
    ),
    *(
        "\x00",
        "\x1b[31m",
        "\n",
        "\r",
        "\t",
        "\x7f",
        "\udcff",
        "\ud800",
        "é",
        "e\u0301",
        "\u202e",
        "😀",
        "\ufeff",
        "ﬁ",
    ),
    *(
        "a" * 254,
        "a" * 300,
        "é" * 200,
        "nul",
        "con",
        "latest",
        "run.json",
        "0",
        "-1",
        "1e400",
        "null",
        "{'a': 1}",
    ),
)
PLACES: tuple[tuple[str, ...], ...] = (
    ("report", "{}"),
    ("report", "RUN", "--columns", "{}"),
    ("report", "RUN", "--sort", "{}"),
    ("report", "RUN", "--group-by", "{}"),
    ("report", "RUN", "--format", "{}"),
    ("report", "RUN", "-o", "{}"),
    ("report", "RUN", "-o", "{}.json"),
    ("report", "RUN", "-o", "{}.html"),
    ("compare", "RUN", "{}"),
    ("compare", "RUN", "RUN", "--fail-if", "{}"),
    ("compare", "RUN", "RUN", "--junit", "{}"),
    ("compare", "RUN", "RUN", "--dataset", "{}"),
    ("run", "{}", "--dry-run"),
    ("run", "shapes-float16", "--dry-run", "--dataset", "{}"),
    ("run", "shapes-float16", "--dry-run", "--delegate", "{}"),
    ("run", "shapes-float16", "--dry-run", "--delegate", "external:{}"),
    ("run", "shapes-float16", "--dry-run", "--device", "{}"),
    ("run", "shapes-float16", "--dry-run", "--classes", "{}"),
    ("run", "shapes-float16", "--dry-run", "--score-threshold", "{}"),
    ("run", "shapes-float16", "--dry-run", "--cpu-mask", "{}"),
    ("run", "shapes-float16", "--dry-run", "--max-start-temp", "{}"),
    ("run", "shapes-float16", "--dry-run", "--benchmark-binary", "{}"),
    ("run", "--resume", "{}", "--output", "RESULTS"),
    ("inspect", "{}"),
    ("inspect", "{}.tflite"),
    ("models", "show", "{}"),
    ("models", "show", "{}.toml"),
    ("evaluate", "--annotations", "{}", "--detections", "{}"),
    ("evaluate", "--annotations", "{}.json", "--detections", "RUN/run.json"),
    ("detect", "shapes-float16", "{}"),
    ("detect", "{}", "nothing.jpg"),
    ("runs", "--output", "{}"),
    ("edit", "card", "{}", "--set", "labels.offset=1", "-o", "x.toml"),
    ("devices", "show", "{}"),
    ("{}",),
)


def names(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Name anything anywhere, from a folder of its own: an answer, never a traceback, and nothing outside changes."""
    run = two_cells(folder / "results", "20261121-090000-0001")
    guarded, current = folder / "guarded", folder / "current"
    guarded.mkdir()
    current.mkdir()
    (guarded / "mine").write_text("somebody's")
    before, stored = state_of(guarded), state_of(run.folder)
    kept = Path.cwd()
    os.chdir(current)
    try:
        for _ in range(faults):
            place, name = chance.choice(PLACES), _name(chance)
            words = {"RUN": str(run.folder), "RESULTS": str(folder / "results")}
            line = [
                words.get(part, part.replace("RUN/", f"{run.folder}/").replace("{}", name)) for part in place
            ]
            answer = call((place, name[:80]), "--workspace", REPOSITORY, *line)
            if (state_of(guarded), state_of(run.folder)) != (before, stored):
                raise AttackError(f"{place}, {name!r}: something outside changed")
            yield f"{place[0] if place != ('{}',) else 'command'}, exit status {answer.status}"
    finally:
        os.chdir(kept)


def _name(chance: random.Random) -> str:
    """Put a name together; what would lead out of the current folder is only looked at, not written to."""
    parts = [
        "".join(chance.choices(PIECES, k=chance.randint(1, 3))) for _ in range(chance.choice((1, 1, 2, 4)))
    ]
    return "/".join(part for part in parts if part != "..") * chance.choice((1, 1, 1, 1, 30))
