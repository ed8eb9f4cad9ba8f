"""Score diagnoses of drawn faults: was the right cause named first, among three, not at all, or a wrong one."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import HarnessError
from tests.support.examining import examined
from tests.support.faults.drawn import Drawn

HARM = 0.02
"""mAP that a fault must cost on the images: below that there is nothing to find."""
ALWAYS = ("swapped-arguments", "same-file", "other-network")
"""Kinds that are to be named whatever they cost."""
CLAIMS = ("certain", "likely")


@dataclass(frozen=True)
class Score:
    """One diagnosis.

    Attributes:
        kind: Of the fault, or of the sound pair.
        model: The model that it was drawn on.
        what: What was done.
        answers: The right causes; () for a sound pair.
        lost: mAP against the float side; None where the diagnosis ended in an error.
        named: Causes and their confidence, as ranked.
        error: The error that ended it; empty without one.
        seconds: What it took.
    """

    kind: str
    model: str
    what: str
    answers: tuple[str, ...]
    lost: float | None
    named: tuple[tuple[str, str], ...]
    error: str
    seconds: float

    @property
    def sound(self) -> bool:
        return not self.answers

    @property
    def counts(self) -> bool:
        """Whether there was something to find."""
        return self.sound or self.kind in ALWAYS or self.lost is None or abs(self.lost) >= HARM

    @property
    def rank(self) -> int | None:
        """Of the first right cause, from 1."""
        causes = [cause for cause, _ in self.named]
        return next((k for k, cause in enumerate(causes, 1) if cause in self.answers), None)

    @property
    def false(self) -> tuple[str, ...]:
        """What is claimed at `likely` or above, and is not so."""
        return tuple(c for c, confidence in self.named if confidence in CLAIMS and c not in self.answers)


def score(drawn: Drawn, limit: int, layer_images: int) -> Score:
    """Diagnose a drawn fault."""
    lost, named, error, seconds = None, (), "", 0.0
    try:
        result = examined(drawn.fault, limit, layer_images)
    except HarnessError as found:
        error = str(found)
    else:
        difference = result.diagnosis.evidence.loss.difference
        lost = 0.0 if difference is None else difference.difference
        named = tuple((finding.cause, finding.confidence) for finding in result.diagnosis.findings)
        error = "; ".join(f"{cause}: {why}" for cause, why in result.diagnosis.untested)
        seconds = result.seconds
    return Score(drawn.kind, drawn.model, drawn.what, drawn.fault.causes, lost, named, error, seconds)


def line(found: Score) -> str:
    """Return one diagnosis as a line."""
    lost = "error" if found.lost is None else f"{found.lost:+.3f}"
    named = (
        ", ".join(f"{cause} ({confidence})" for cause, confidence in found.named[:3])
        or found.error[:90]
        or "-"
    )
    mark = "·" if not found.counts else "1" if found.rank == 1 else "3" if (found.rank or 9) <= 3 else " "
    mark += "!" if found.false else " "
    return f"{mark} {found.kind:18} {found.model:8} {lost:7} {found.seconds:5.1f}s  {found.what[:60]:60}  {named}"


HEAD = ("kind", "drawn", "harmful", "first", "in three", "nothing", "false", "error")


def table(scores: Iterable[Score]) -> str:
    """Return the table of kinds, with the totals of faults and of sound pairs."""
    found = list(scores)
    kinds = list(dict.fromkeys(one.kind for one in found))
    rows = [_row(kind, [one for one in found if one.kind == kind]) for kind in kinds]
    for title, sound in (("all faults", False), ("all sound pairs", True)):
        part = [one for one in found if one.sound == sound]
        rows += [_row(title, part), _shares(part)] if part else []
    return "\n".join(
        "  ".join(str(c).ljust(w) for c, w in zip(row, (18, *(9,) * 7), strict=True)) for row in (HEAD, *rows)
    )


def _counts(part: list[Score]) -> tuple[int, ...]:
    real = [one for one in part if one.counts]
    return (
        len(real),
        sum(one.rank == 1 for one in real),
        sum(one.rank is not None and one.rank <= 3 for one in real),
        sum(not one.named for one in real),
        sum(bool(one.false) for one in part),
        sum(one.lost is None for one in part),
    )


def _row(title: str, part: list[Score]) -> tuple[object, ...]:
    return (title, len(part), *_counts(part))


def _shares(part: list[Score]) -> tuple[object, ...]:
    n, first, three, nothing, false, error = _counts(part)
    of_real = [f"{count / max(n, 1):.0%}" for count in (first, three, nothing)]
    return ("", "", "", *of_real, f"{false / len(part):.1%}", f"{error / len(part):.0%}")


def save(found: Score, file: Path) -> None:
    """Append one diagnosis to a file of JSON lines, so that parts of a large run can be put together."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(found)) + "\n")


def read(files: Iterable[Path]) -> list[Score]:
    """Read what `save` wrote."""
    found = []
    for file in files:
        for text in file.read_text(encoding="utf-8").splitlines():
            values = json.loads(text)
            values |= {"answers": tuple(values["answers"]), "named": tuple(map(tuple, values["named"]))}
            found.append(Score(**values))
    return found
