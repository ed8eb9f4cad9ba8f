"""Stored runs that are damaged."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.records import records
from harness.records.files import checksum
from harness.records.records import OperatorFacts, OperatorProfile, OperatorTime, Record, StoredRecord
from harness.rows.frame import read_results
from harness.vocabulary import Status
from tests.support.attack.calls import AttackError, call
from tests.support.changed_runs import give_detections, read_unsealed
from tests.support.runs_on_disk import RunFactory

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 3, 0.5, 10**18, 2**63, 2**64 - 1, 10**400, 1e308, -1e308),
    *("", "x", "ok", "failed", "nan", "\x00\x1b[31m", "../../etc/passwd", "é" * 300),
    *([], [1], ["a"], [[]], {}, {"a": 1}, {"path": 3}, {"dataset": 4, "workspace": []}),
)
SETTINGS = {
    **{"limit": None, "precision": None, "sustained": None, "mlperf": False, "classes": []},
    **{"min_seconds": 1.0, "max_seconds": 3.0, "repetitions": 5},
}


def two_cells(folder: Path, run: str) -> RunFactory:
    made = RunFactory(folder / run)
    for model in ("good", "bad"):
        made.cell(model, n_samples=20, n_processes=2)
    return made


def record_values(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Put odd values into a record or into `run.json`, and read the run in every way."""
    run, other = two_cells(folder, "20261121-090000-0001"), two_cells(folder, "20261121-090000-0002")
    files: dict[Path, Any] = {
        run.cells[1] / "record.json": _full_record(run),
        run.folder / "run.json": _full_run(run),
    }
    ways = [
        *(("report", run.folder, "--format", name) for name in ("json", "table", "csv", "markdown")),
        *(("report", run.folder, "-o", folder / f"x.{name}") for name in ("html", "parquet")),
        ("report", run.folder, "--group-by", "device"),
        ("report", run.folder, "--operators"),
        ("compare", other.folder, run.folder),
        ("compare", run.folder, other.folder, "--fail-if", "map < -0.1"),
    ]
    for _ in range(faults):
        file = chance.choice([*files, *list(files)[:1] * 3])
        place, value = chance.choice(list(_places(files[file])) or [()]), chance.choice(ODD)
        for path, data in files.items():
            path.write_text(json.dumps(_changed(data, place, value) if path == file else data))
        answer = call((file.name, place, repr(value)[:60]), *chance.choice(ways))
        yield f"exit status {answer.status}"


def _full_record(run: RunFactory) -> dict[str, Any]:
    """A record with everything in it that one may hold."""
    data = read_unsealed(run.cells[1] / "record.json")
    data["settings"] = SETTINGS
    data["model"]["card"] = {"dataset": {"path": "p"}, "input": {"width": 3, "height": 4}}
    data["processes"][0]["telemetry"] = {
        "before": {"probe_ns": 4, "mhz": 3.0, "celsius": 4.0, "battery": {"temp": "1"}},
        **{"after": {}, "other_load": 0.1, "start_celsius": 3.0, "fastest_probe_ns": 3},
    }
    data["processes"][1]["summary"] = {"count": 3, "mean_ns": 5, "median_ns": 4, "std_ns": 1, "min_ns": 1}
    return data


def _full_run(run: RunFactory) -> dict[str, Any]:
    data = read_unsealed(run.folder / "run.json")
    request = {"dataset": "x", "workspace": "y", "models": ["a"]}
    return {**data, "request": request, "environment": {"packages": {"a": "1"}}, "command": ["a", "b"]}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document, but for the document itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield (*path, key)
        yield from _places(below, (*path, key))


def _changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def record_files(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Damage a file of one cell, and see that this cell is not called `ok` and the other is shown."""
    kept = two_cells(folder, "20261121-090000-0000")
    _add_files(kept.cells[1])
    whole = read_results([kept.folder]).records[1].record
    for _ in range(faults):
        run = folder / "20261121-090000-0001"
        shutil.copytree(kept.folder, run)
        file = run / "cells" / "001" / chance.choice(FILES)
        how = chance.choice(list(DAMAGE))
        DAMAGE[how](file, chance)
        answer = call((file.name, how), "report", run, "--format", "json")
        rows = {row["model"]: row for row in json.loads(answer.out)}
        if "good" not in rows or rows["good"]["status"] != "ok":
            raise AttackError(f"{file.name}, {how}: the other cell is lost")
        noticed = answer.status == 1 and ("bad" not in rows or rows["bad"]["status"] == "failed")
        if not noticed and not _says_the_same(run, whole):
            raise AttackError(f"{file.name}, {how}: exit status {answer.status}, {rows.get('bad')}")
        shutil.rmtree(run)
        yield f"{how}, {'noticed' if noticed else 'says the same as before'}"


FILES = ("record.json", "record.json", "process-0.npy", "process-1.npy", "detections.json", "operators.json")


def _add_files(cell: Path) -> None:
    """Give a cell detections and operators."""
    give_detections(cell, 1.0, 5)
    times = (OperatorTime(kind="CONV_2D", name="a", delegated=False, time_ns=512),)
    records.save(cell / "operators.json", OperatorProfile(operators=times))
    record = records.load(cell / "record.json", Record)
    assert record.accuracy is not None
    crc32 = checksum((cell / "detections.json").read_bytes())
    accuracy = replace(record.accuracy, detections_crc32=crc32)
    operators = OperatorFacts(status=Status.OK, operators="operators.json")
    records.save(cell / "record.json", replace(record, accuracy=accuracy, operators=operators))


def _says_the_same(run: Path, whole: Record) -> bool:
    """Whether a bit that nobody noticed was one of a blank, or of the name of a checksum."""
    stored = read_results([run]).records[1]
    as_before = StoredRecord(whole, stored.folder)
    return stored.record == whole and stored.operators() == as_before.operators()


def _flip(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(bytes(data))


def _pipe(file: Path, chance: random.Random) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder(file: Path, chance: random.Random) -> None:
    file.unlink()
    file.mkdir()


def _link(file: Path, chance: random.Random) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def _half(file: Path, chance: random.Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: chance.randrange(len(data))])


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "bit": _flip,
    "half": _half,
    "pipe": _pipe,
    "folder": _folder,
    "link": _link,
}
