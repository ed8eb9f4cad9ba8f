"""How classes were matched, a line a group of models: shown before the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.records.records import ClassMatch


def lines(matches: Iterable[tuple[str, ClassMatch]], width: int | None = None) -> list[str]:
    """Return one line for all models whose classes were matched in the same way.

    Args:
        matches: Names of models with what was matched.
        width: Characters in a line, beyond which names are counted instead; None for all names.
    """
    models: dict[ClassMatch, list[str]] = {}
    for name, facts in matches:
        models.setdefault(facts, []).append(name)
    return [line(list(dict.fromkeys(names)), facts, width) for facts, names in models.items()]


def line(models: Sequence[str], facts: ClassMatch, width: int | None = None) -> str:
    """Return what was matched in one line."""
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    start = f"{models[0]}{more}: {_how(facts)}"
    parts = [
        (words, names)
        for words, names in (
            ("the model does not know", facts.unknown_to_model),
            ("the data set has no", facts.not_in_dataset),
        )
        if names
    ]
    room = None if width is None else width - len(start)
    for left, (words, names) in zip(range(len(parts), 0, -1), parts, strict=True):
        share = None if room is None else room // left - len(words) - len(";  ")
        text = f"; {words} {_as_many_as_fit(names, share)}"
        start += text
        room = None if room is None else room - len(text)
    return start


def _how(facts: ClassMatch) -> str:
    counts = f"{facts.n_matched} of {facts.n_categories} classes"
    if facts.matched_by == "id":
        return f"{counts} taken by id: {facts.remark}"
    return f"{counts} matched by name ({facts.source})"


def _as_many_as_fit(names: Sequence[str], room: int | None) -> str:
    """Return names, the last ones counted where there are too many; at least one is named."""
    if room is None or len(", ".join(names)) <= room:
        return ", ".join(names)
    shown = 1
    while shown < len(names) and len(_cut(names, shown + 1)) <= room:
        shown += 1
    return _cut(names, shown)


def _cut(names: Sequence[str], shown: int) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more else "")
