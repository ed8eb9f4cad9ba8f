"""Runs as rows: what each one measured, and what its figures are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.records.records import load_run
from harness.rows.reading import read_rows

COLUMNS = ("run_id", "name", "started_at", "models", "devices", "cells", "verdicts", "folder")
"""`verdicts` counts what the cells are worth: the verdict where something was timed, else the status."""


def run_rows(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return one row a run, in the order given; a run that cannot be read has its id, its folder and the reason."""
    return [_row(folder) for folder in folders]


def _row(folder: Path) -> dict[str, Any]:
    known: dict[str, Any] = {**dict.fromkeys(COLUMNS), "run_id": folder.name, "folder": str(folder)}
    try:
        facts = load_run(folder)
        found = read_rows([folder])
    except RecordError as error:
        return known | {"verdicts": f"unreadable: {error}"}
    rows = found.rows
    worth = Counter(str(row["verdict"] or row["status"]) for row in rows)
    if found.warnings:
        worth["unreadable"] = len(found.warnings)
    return known | {
        "name": facts.request.get("name"),
        "started_at": facts.started_at,
        "models": list(dict.fromkeys(row["model"] for row in rows)),
        "devices": list(dict.fromkeys(row["device"] for row in rows)),
        "cells": len(rows),
        "verdicts": ", ".join(f"{n} {word}" for word, n in worth.most_common()),
    }
