"""Choose the two sides of a comparison: runs, models of runs, or what one run measured against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UnknownNameError, UsageError
from harness.records.records import StoredRecord
from harness.rows.frame import Results, read_results
from harness.rows.selection import find_folders


@dataclass(frozen=True)
class Sides:
    """The records of both sides.

    Attributes:
        base: The reference.
        new: What is judged.
        names: Models that are held against each other though their names differ: the base's and the new's.
        only: Whether no other cells are compared.
        warnings: One sentence for each file that could not be read.
        across_engines: Whether cells are compared that two engines measured.
    """

    base: Sequence[StoredRecord]
    new: Sequence[StoredRecord]
    names: tuple[tuple[str, str], ...] = ()
    only: bool = False
    warnings: tuple[str, ...] = ()
    across_engines: bool = False


def find_sides(base: Sequence[str], new: Sequence[str], matches: Sequence[str], results: Path) -> Sides:
    """Find what a user wants to compare.

    Args:
        base: Runs as `harness.rows.selection` finds them, each with `:MODEL` behind it for one model of it.
        new: The same of what is judged; nothing where both sides are in `base`: runs that were measured with
            `--against`, or models that `matches` names.
        matches: `A=B`: the base's model A is held against the new's model B.
        results: The folder in which runs are looked up by id.

    Raises:
        RecordError: A folder holds no run, or there is none yet.
        UnknownNameError: No such run or model; near misses are listed.
        UsageError: A text that is no `A=B`, or one run that holds no two sides.
    """
    names = tuple(map(_split_match, matches))
    if not new:
        return _within(base, names, results)
    first, second = (_find(side, results) for side in (base, new))
    if len(first.models) == len(second.models) == 1:
        names = (*names, (first.models[0], second.models[0]))
    same = first.found.runs == second.found.runs
    only = bool(names) and (same or bool(first.models and second.models))
    warnings = dict.fromkeys((*first.found.warnings, *second.found.warnings))
    return Sides(first.records, second.records, names, only, tuple(warnings))


def _within(base: Sequence[str], names: tuple[tuple[str, str], ...], results: Path) -> Sides:
    """Return the two sides of runs that hold both."""
    found = _find(base, results).found
    kept = found.records
    if not names:
        kept, names = _measured_in_turn(found.records)
    if not names:
        raise UsageError(
            f"{' '.join(base)}: one run, and none of its models was measured with --against: name a second run, or two "
            "of its models with --match A=B"
        )
    return Sides(kept, kept, names, only=True, warnings=found.warnings)


def _measured_in_turn(
    records: Sequence[StoredRecord],
) -> tuple[tuple[StoredRecord, ...], tuple[tuple[str, str], ...]]:
    """Return the records that were measured with `--against`, those of the bases too, and the names of each pair."""
    news = [stored.record for stored in records if stored.record.against is not None]
    names = dict.fromkeys((record.against or "", record.model.name) for record in news)
    of_runs = {(record.run_id, name) for record in news for name in (record.model.name, record.against)}
    kept = (stored for stored in records if (stored.record.run_id, stored.record.model.name) in of_runs)
    return tuple(kept), tuple(names)


def _split_match(text: str) -> tuple[str, str]:
    base, equals, new = text.partition("=")
    if not (base and equals and new):
        raise UsageError(f"--match {text!r}: expected A=B, a model of BASE and one of NEW")
    return base, new


@dataclass(frozen=True)
class _Found:
    """One side: all of its runs, the models that were named of them, and the records that count."""

    found: Results
    models: tuple[str, ...]
    records: tuple[StoredRecord, ...]


def _find(names: Sequence[str], results: Path) -> _Found:
    folders: list[Path] = []
    models: list[str] = []
    for name in names:
        folder, model = _split_run(name, results)
        folders.append(folder)
        models += [] if model is None else [model]
    found = read_results(folders)
    known = {stored.record.model.name for stored in found.records}
    for model in models:
        if model not in known:
            raise UnknownNameError("model", model, known)
    kept = [stored for stored in found.records if not models or stored.record.model.name in models]
    return _Found(found, tuple(dict.fromkeys(models)), tuple(kept))


def _split_run(name: str, results: Path) -> tuple[Path, str | None]:
    """Find a run by its name, or by what stands before the last colon of it."""
    run, colon, model = name.rpartition(":")
    try:
        return find_folders([name], results)[0], None
    except UnknownNameError:
        if not (colon and run and model):
            raise
    return find_folders([run], results)[0], model
