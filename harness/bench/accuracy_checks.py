"""What is known to be wrong with a cell's accuracy, or to be missing from it, and the status that follows (law 13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from harness.accuracy.coco_json import first_few
from harness.accuracy.dataset_accuracy import DatasetAccuracy
from harness.accuracy.published import against_published
from harness.bench.plan import Cell
from harness.records.checks import Check, status_of
from harness.records.records import AccuracyFacts
from harness.vocabulary import Status

MOST_UNREADABLE = 0.05
"""Share of the images that cannot be read above which an accuracy is one of part of the data."""


def judged(facts: AccuracyFacts, cell: Cell, result: DatasetAccuracy) -> AccuracyFacts:
    """Add what is known to be wrong with an accuracy, or to be missing from it."""
    remarks = () if result.n_foreign else result.evaluation.warnings
    facts = replace(
        facts,
        reasons=(*facts.reasons, *_few_unreadable(facts), *remarks),
        classes=None if cell.matching is None else cell.matching.facts,
    )
    return with_checks(facts, cell, _checks(facts, cell, result))


def with_checks(facts: AccuracyFacts, cell: Cell, checks: Iterable[Check]) -> AccuracyFacts:
    """Add checks to an accuracy: its status is that of the gravest, and each is a reason."""
    added = tuple(check.about(_model_name(cell), facts.dataset) for check in checks)
    reasons = (*facts.reasons, *(check.reason for check in added))
    known = (*facts.checks, *added)
    return replace(facts, status=status_of(known), reasons=reasons, checks=known)


def without_checks(facts: AccuracyFacts, names: Collection[str]) -> AccuracyFacts:
    """Take the checks of these names out of an accuracy that has figures, with their reasons."""
    gone = [check for check in facts.checks if check.name in names]
    reasons = tuple(reason for reason in facts.reasons if reason not in {check.reason for check in gone})
    kept = tuple(check for check in facts.checks if check not in gone)
    return replace(facts, status=status_of(kept), reasons=reasons, checks=kept)


def nothing_read(facts: AccuracyFacts) -> AccuracyFacts:
    """Say that there is no accuracy, because no image could be read."""
    words = f"no image could be read, so there is no accuracy: {first_sentences(facts.unreadable)}"
    return replace(facts, status=Status.FAILED, reasons=(words,))


def first_sentences(sentences: tuple[str, ...]) -> str:
    """Put a few sentences in one."""
    return "; ".join(sentences[:3]) + (", …" if len(sentences) > 3 else "")


def _model_name(cell: Cell) -> str:
    return cell.model.file.name if cell.model.origin is None else cell.model.name


def _checks(facts: AccuracyFacts, cell: Cell, result: DatasetAccuracy) -> Iterator[Check]:
    yield from _unreadable(facts)
    yield from _classes(cell, result)
    yield from result.doubts
    if cell.dataset is not None:
        yield from against_published(cell.model, cell.dataset.without(facts.unreadable_ids), result.interval)


def _share_unreadable(facts: AccuracyFacts) -> float:
    n = len(facts.unreadable)
    return n / max(1, n + facts.n_images)


def _unreadable_words(facts: AccuracyFacts) -> str:
    n, which = len(facts.unreadable), first_sentences(facts.unreadable)
    return f"{n} of {n + facts.n_images} images could not be read and are left out: {which}"


def _few_unreadable(facts: AccuracyFacts) -> tuple[str, ...]:
    few = facts.unreadable and _share_unreadable(facts) <= MOST_UNREADABLE
    return (_unreadable_words(facts),) if few else ()


def _unreadable(facts: AccuracyFacts) -> Iterator[Check]:
    if _share_unreadable(facts) > MOST_UNREADABLE:
        yield Check(
            name="images unreadable",
            verdict="incomplete",
            figures={"unreadable": len(facts.unreadable), "images": facts.n_images},
            words=_unreadable_words(facts),
        )


def _classes(cell: Cell, result: DatasetAccuracy) -> Iterator[Check]:
    """Look for detections of classes that the data set does not have, and for objects of classes not evaluated."""
    match = None if cell.matching is None else cell.matching.facts
    if match is None:
        return
    if match.matched_by == "id" and result.n_foreign:
        yield Check(
            name="foreign categories",
            verdict="certain",
            figures={"detections": result.n_foreign},
            words=f"{result.n_foreign} detections have category ids that the data set does not have "
            f"({result.foreign}), so the ids of the model and of the data set mean different things",
            remedy="name the model's classes in its card (labels.names), or give their ids (labels.ids)",
            command="harness edit card MODEL --set labels.names='[…]' -o CARD.toml",
        )
    elif match.unknown_ids and cell.model.card.labels.ids is None:
        yield Check(
            name="foreign categories",
            verdict="certain",
            figures={"classes": len(match.unknown_ids)},
            words=f"{len(match.unknown_ids)} of the model's classes have ids that are no category of the data set "
            f"({first_few(match.unknown_ids)}), so the ids of the model and of the data set mean different things",
            remedy="name the model's classes in its card (labels.names), or give their ids (labels.ids)",
            command="harness edit card MODEL --set labels.names='[…]' -o CARD.toml",
        )
    elif result.lacking and not cell.settings.classes:
        n = match.n_matched
        yield Check(
            name="classes missing",
            verdict="incomplete",
            figures={"classes": n, "missing": len(result.lacking)},
            words=f"the mAP is that of {n} class{'' if n == 1 else 'es'}: the model does not know "
            f"{first_few(result.lacking)}, of which there are objects",
        )
