"""Carry out the remedies for `--try`, each on top of those that helped, in a folder of their own, and measure each.

The causes' order is followed. A remedy that brings accuracy is kept, and the next one starts from it; one that brings
nothing, or does harm, is dropped. Files of the user are only read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import Model
from harness.diagnosis.causes.confidence import gain_text
from harness.diagnosis.diagnose import Diagnosis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Requantize
from harness.diagnosis.harm import HarmedClass, harmed_classes
from harness.diagnosis.remainder import MOST_LEFT
from harness.diagnosis.remedies import fixes
from harness.diagnosis.runs.changes import Detections
from harness.diagnosis.runs.model_pair import load_model
from harness.errors import HarnessError, OutputError
from harness.paths import found_in, is_file, is_folder

KEPT = "kept"
MOST_HARMED = 3
"""Classes that are named where a remedy harms more."""
MOST = 4
"""Remedies that are tried; the causes behind those promise hardly anything."""
OnStep = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Attempt:
    """A remedy that was carried out.

    Attributes:
        finding: The finding with the remedy.
        files: The files that were written, the card or model to use first; () where it failed.
        difference: `first` is the mAP before it, with the remedies kept so far; `second` with it. None where it failed.
        sentence: The outcome.
    """

    finding: Finding
    files: tuple[Path, ...]
    difference: PairedDifference | None
    sentence: str


@dataclass(frozen=True)
class State:
    """The model with the remedies that were kept so far.

    Attributes:
        model: Card and file.
        detections: Its detections.
        fixes: The findings whose remedies it contains.
    """

    model: Model
    detections: Detections
    fixes: tuple[Finding, ...] = ()


def check_folder(folder: Path) -> None:
    """Check that a folder is empty or does not exist: nothing of the user's is overwritten.

    Raises:
        OutputError: It is a file, or a folder with something in it.
    """
    if is_file(folder) or (is_folder(folder) and found_in(folder)):
        raise OutputError(f"{folder}: exists already, and --try writes into a new folder: name another one")


def carry_out(
    diagnosis: Diagnosis, folder: Path, on_step: OnStep = lambda done, total, text: None
) -> tuple[Attempt, ...]:
    """Carry out the best remedies and measure them.

    Args:
        diagnosis: The diagnosis.
        folder: Folder for the files; made, and must not exist.
        on_step: Called with the progress.

    Raises:
        OutputError: The folder exists and is not empty, or cannot be made.
    """
    check_folder(folder)
    evidence = diagnosis.evidence
    chosen = [finding for finding in diagnosis.findings if finding.remedy.fix is not None][:MOST]
    state = State(evidence.pair.quantized.source, evidence.loss.quantized.detections)
    attempts: list[Attempt] = []
    for done, finding in enumerate(chosen):
        on_step(done, len(chosen), f"trying: {finding.cause}")
        earlier = next((one for one in state.fixes if _covers(finding, one)), None)
        if earlier is not None:
            sentence = f"the same quantizing as for {earlier.cause}, which is done"
            attempts.append(Attempt(finding, (), None, sentence))
            continue
        try:
            state, attempt = _attempt(evidence, state, finding, _place(folder, done, finding))
        except HarnessError as error:
            attempt = Attempt(finding, (), None, f"could not be carried out: {error}")
        attempts.append(attempt)
    return tuple(attempts)


def _covers(finding: Finding, done: Finding) -> bool:
    """Whether requantizing for one cause has done everything that another one asks for."""
    wanted, made = finding.remedy.fix, done.remedy.fix
    if not isinstance(wanted, Requantize) or not isinstance(made, Requantize):
        return False
    return wanted.mode == made.mode and set(wanted.keep_float) <= set(made.keep_float)


def _place(folder: Path, done: int, finding: Finding) -> Path:
    """Make the folder of one attempt."""
    path = folder / f"{done + 1}-{finding.cause}"
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be made ({error.strerror or error}): name another folder"
        ) from error
    return path


def _attempt(evidence: Evidence, state: State, finding: Finding, folder: Path) -> tuple[State, Attempt]:
    done = fixes.apply(evidence, state.model, (*state.fixes, finding), folder)
    found = _detections(evidence, done.model)
    difference = evidence.runs.compare(state.detections, found)
    outcome = _outcome(difference)
    kept = outcome == KEPT
    remark = f"; {done.remark}" if done.remark else ""
    so_far = _so_far(evidence, found) if kept else ""
    harm = _harm(harmed_classes(evidence.runs, state.detections, found)) if kept else ""
    sentence = f"{gain_text(difference)}: {outcome}{harm}{so_far}{remark}"
    attempt = Attempt(finding, done.files, difference, sentence)
    return (State(done.model, found, (*state.fixes, finding)) if kept else state), attempt


def _harm(classes: Sequence[HarmedClass]) -> str:
    """Return the classes that are worse off, as a clause."""
    told = ", ".join(f"{one.name} (AP {one.before:.3f} → {one.after:.3f})" for one in classes[:MOST_HARMED])
    more = f" and {len(classes) - MOST_HARMED} more" if len(classes) > MOST_HARMED else ""
    return f", but harms {told}{more}" if classes else ""


def _outcome(difference: PairedDifference) -> str:
    """Decide whether a remedy is kept: one that wins nothing is not worth its risk."""
    if difference.high is not None and difference.high < 0:
        return "does harm, and was dropped"
    return KEPT if (difference.difference or 0.0) > 0 else "brings nothing, and was dropped"


def _detections(evidence: Evidence, model: Model) -> Detections:
    """Run a remedied model where the quantized model runs."""
    made = load_model("quantized", model, evidence.pair.quantized.place)
    return evidence.runs.detections(made)


def _so_far(evidence: Evidence, found: Detections) -> str:
    """Return the remaining difference to the float model, as a clause."""
    if evidence.loss.float is None:
        return ""
    left = evidence.runs.compare(evidence.loss.float.detections, found).difference
    lost = evidence.loss.difference
    if left is None or lost is None or lost.difference is None:
        return ""
    much = ", more than a third of what was lost" if left < MOST_LEFT * lost.difference < 0 else ""
    return f"; {left:+.3f} against the float side{much}"
