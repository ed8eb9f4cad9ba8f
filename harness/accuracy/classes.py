"""Which category of a data set each class of a model is: by name, and by id where there are no names.

Ids mean nothing by themselves: label tools number from 0 or 1, by the alphabet, or with a grouping category first.
A name is sought as it is written, then without case, spaces, underscores and hyphens, then by VOC's and COCO's words
for one thing. What two classes or two categories could be is refused: only the card can say it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.accuracy.class_names import KnownNames, number_in, plain, spelled
from harness.accuracy.coco_json import first_few as listed
from harness.accuracy.labels import COCO80_TO_90, LEFT_OUT, category_ids
from harness.cards import Labels
from harness.errors import ModelError, UsageError
from harness.records.records import ClassMatch

SAY_WHICH = (
    'say which class is which in the model\'s card, as labels.map = { "class" = "category" } or labels.ids'
)
LEAST_OF_A_GUESS = 0.5
"""Share of the classes or categories that a list must match which nothing but its length speaks for."""


@dataclass(frozen=True)
class Matching:
    """The classes of a model matched with the categories of a data set.

    Attributes:
        labels: The card's labels with `ids`: the category of each class, or `LEFT_OUT`.
        facts: What was matched, for the record.
        categories: Ids of the categories that are evaluated; None for all of the data set's.
    """

    labels: Labels
    facts: ClassMatch
    categories: tuple[int, ...] | None = None


FORMS: tuple[Callable[[str], str], ...] = (str.strip, spelled, plain)
"""The forms in which names are compared, the strictest first."""


@dataclass(frozen=True)
class Categories:
    """The categories of a data set.

    Attributes:
        names: By id.
        annotated: Ids of those that have annotations; None where that is not known.
    """

    names: Mapping[int, str]
    annotated: Collection[int] | None = None

    def called(self, name: str) -> list[int]:
        """Return the categories that a name can mean, by the strictest of `FORMS` in which there are any.

        Those that have annotations go first: a label tool's group is often called like a class in it, and has none.
        """
        known = sorted(self.names)
        used = [number for number in known if self.annotated is None or number in self.annotated]
        for numbers in (used, known):
            for form in FORMS:
                found = [number for number in numbers if form(self.names[number]) == form(name)]
                if found:
                    return found if numbers is used else found[:1]
        return []

    def only(self, chosen: Collection[int] | None) -> int | None:
        """Return the only category that can be meant, of those that are chosen or have annotations."""
        meant = self.annotated if chosen is None else chosen
        meant = set(self.names if meant is None else meant)
        return meant.pop() if len(meant) == 1 else None

    @property
    def are_numbers(self) -> bool:
        """Whether they are named by numbers, as by converters that were given no names (`0`, `class 3`)."""
        return all(number_in(name) is not None for name in self.names.values())

    @property
    def numbers_differ(self) -> bool:
        """Whether the numbers in the names are others than the ids, so that one of them is not the class's."""
        return any(number_in(name) not in {number, -1} for number, name in self.names.items())


@dataclass(frozen=True)
class Choice:
    """`--classes`: the categories that the evaluation is restricted to; all where it names none."""

    names: tuple[str, ...] = field(default=())

    def of(self, there: Categories) -> tuple[int, ...] | None:
        """Return the ids that are meant; None for all.

        Raises:
            UsageError: A name that the data set does not have.
        """
        if not self.names:
            return None
        names = [name for text in self.names for name in _several(text, there)]
        for name in names:
            if not there.called(name):
                some = listed(sorted(there.names.values()))
                raise UsageError(f"--classes {name}: the data set has no such category; it has {some}")
        return tuple(sorted({number for name in names for number in there.called(name)}))


def _several(text: str, there: Categories) -> list[str]:
    """Return the names in a text, with commas between; a category's own name can have commas, too."""
    parts = [part.strip() for part in text.split(",")]
    return [text] if there.called(text) else [part for part in parts if part]


def match_classes(
    labels: Labels,
    known: KnownNames | None,
    categories: Mapping[int, str],
    choice: Choice | None = None,
    *,
    n_classes: int | None = None,
    annotated: Collection[int] | None = None,
) -> Matching:
    """Match a model's classes with a data set's categories.

    Args:
        labels: The card's.
        known: The names of the model's classes.
        categories: Name by id, of the data set.
        choice: Restricts the evaluation to some categories.
        n_classes: Classes that the outputs tell apart; None where they do not say.
        annotated: Ids of the categories that have annotations; None where that is not known.

    Raises:
        ModelError: The names of both sides are known and none of them is on both, or it is open which is which.
        UsageError: A chosen category that the data set does not have.
    """
    there = Categories(categories, annotated)
    chosen = (choice or Choice()).of(there)
    number = n_classes if known is None else len(known.names)
    if labels.ids is not None:
        _check_ids(labels.ids, known, there, n_classes)
        return _by_id(labels, len(labels.ids), categories, chosen, "the card says them (labels.ids)")
    if known is None and n_classes == 1 and labels.map is None:
        only = there.only(chosen)
        if only is not None:
            return _by_id(Labels(ids=(only,)), 1, categories, (only,), "the only class is the only category")
    if known is None or _only_numbers(known, there):
        return _by_id(
            labels, number, categories, chosen, _checked(there, "nothing names the model's classes")
        )
    ids = _ids_by_name(known, labels, there)
    if known.guessed and _matched_share(ids, known, categories) < LEAST_OF_A_GUESS:
        return _by_id(labels, number, categories, chosen, "nothing names the model's classes")
    if any(one != LEFT_OUT for one in ids):
        return _named(labels, known, categories, ids, chosen)
    if there.are_numbers:
        remark = _checked(there, "the data set's categories have numbers for names")
        return _by_id(labels, number, categories, chosen, remark)
    raise ModelError(
        f"none of the model's {len(known.real)} classes ({listed(known.real)}; names from {known.source}) is a "
        f"category of the data set ({listed(tuple(categories.values()))}): measure it on a data set of its own "
        'classes, or say which class is which in its card, as labels.map = { "class" = "category" }'
    )


def _only_numbers(known: KnownNames, there: Categories) -> bool:
    """Whether the names say nothing: they are numbers, and not those of the data set's categories."""
    same = {spelled(name) for name in known.real} == {spelled(name) for name in there.names.values()}
    return known.are_numbers and not same


def _checked(there: Categories, remark: str) -> str:
    """Return why ids are taken, unless the categories' names say other numbers than their ids.

    Raises:
        ModelError: They do.
    """
    if there.are_numbers and there.numbers_differ:
        number, name = next((n, name) for n, name in there.names.items() if number_in(name) not in {n, -1})
        raise ModelError(
            f"the data set's category {number} is called {name!r}, and its others are numbers, too: it is open which "
            f"of the two is the number of a class; {SAY_WHICH}"
        )
    return remark


def _check_ids(
    ids: tuple[int, ...], known: KnownNames | None, there: Categories, n_classes: int | None
) -> None:
    """Refuse ids of a card that contradict what is known.

    Raises:
        ModelError: They are not as many as the classes, or the names of both sides say another category.
    """
    if n_classes not in {None, len(ids)}:
        raise ModelError(
            f"the outputs tell {n_classes} classes apart, but the card's labels.ids gives {len(ids)} ids: give one for "
            f"each class, {LEFT_OUT} for one that is left out"
        )
    if known is None or known.guessed or len(known.names) != len(ids):
        return
    for name, number in zip(known.names, ids, strict=True):
        meant = there.called(name) if name else []
        if len(meant) == 1 and number != LEFT_OUT and meant[0] != number:
            raise ModelError(
                f"the card's labels.ids says that class {name!r} is category {number} "
                f"({there.names.get(number, 'which the data set does not have')}), but the data set's {name!r} is "
                f"{meant[0]}: leave labels.ids out, so that classes are matched by name, or correct it"
            )


def _matched_share(ids: tuple[int, ...], known: KnownNames, categories: Mapping[int, str]) -> float:
    matched = len({number for number in ids if number != LEFT_OUT})
    return matched / max(1, min(len(known.real), len(categories)))


def _ids_by_name(known: KnownNames, labels: Labels, there: Categories) -> tuple[int, ...]:
    """Return the category of each class, or `LEFT_OUT`.

    Raises:
        ModelError: Two classes could be one category, or two categories one class.
    """
    said = _said(known, labels)
    pairs = list(zip(known.names, said, strict=True))
    own = [there.called(name) if name and word is None else [] for name, word in pairs]
    found = [
        there.called(word) if word is not None else ids for (_, word), ids in zip(pairs, own, strict=True)
    ]
    _refuse_several(known, there, found)
    _refuse_shared(known, there, own)
    return tuple(ids[0] if ids else LEFT_OUT for ids in found)


def _said(known: KnownNames, labels: Labels) -> list[str | None]:
    """Return the category that `labels.map = {...}` says of each class; None where it says none.

    Raises:
        ModelError: It speaks of a class that the model does not have.
    """
    if not isinstance(labels.map, Mapping):
        return [None] * len(known.names)
    words = {plain(name): other for name, other in labels.map.items()}
    strange = [name for name in labels.map if plain(name) not in {plain(one) for one in known.real}]
    if strange:
        raise ModelError(
            f"the card's labels.map speaks of {listed(strange)}, which is no class of the model: it has "
            f"{listed(known.real)} (names from {known.source})"
        )
    return [words.get(plain(name)) if name else None for name in known.names]


def _refuse_several(known: KnownNames, there: Categories, found: list[list[int]]) -> None:
    for name, ids in zip(known.names, found, strict=True):
        if len(ids) > 1:
            several = listed([f"{there.names[number]!r} ({number})" for number in ids])
            raise ModelError(f"the model's class {name!r} can be several categories, {several}: {SAY_WHICH}")


def _refuse_shared(known: KnownNames, there: Categories, found: list[list[int]]) -> None:
    """Refuse two classes that are one category, unless the card says that they are."""
    first: dict[int, int] = {}
    for k, ids in enumerate(found):
        for number in ids:
            if first.setdefault(number, k) != k:
                raise ModelError(
                    f"the model's classes {first[number]} ({known.names[first[number]]!r}) and {k} "
                    f"({known.names[k]!r}) can both be the category {there.names[number]!r}: {SAY_WHICH}"
                )


def _named(
    labels: Labels,
    known: KnownNames,
    categories: Mapping[int, str],
    ids: tuple[int, ...],
    chosen: tuple[int, ...] | None,
) -> Matching:
    matched = {number for number in ids if number != LEFT_OUT}
    evaluated = matched if chosen is None else matched & set(chosen)
    wanted = set(categories) if chosen is None else set(chosen)
    if not evaluated:
        raise ModelError(
            f"the model knows none of the chosen classes: it has {listed(known.real)} (names from {known.source})"
        )
    foreign = tuple(
        name for name, number in zip(known.names, ids, strict=True) if name and number == LEFT_OUT
    )
    facts = ClassMatch(
        matched_by="name",
        n_matched=len(evaluated),
        n_categories=len(wanted),
        source=known.source,
        unknown_to_model=tuple(categories[number] for number in sorted(wanted - matched)),
        not_in_dataset=foreign,
        ids=ids,
    )
    restricted = None if evaluated == set(categories) else tuple(sorted(evaluated))
    return Matching(Labels(names=known.names, ids=ids), facts, restricted)


def _by_id(
    labels: Labels,
    n_classes: int | None,
    categories: Mapping[int, str],
    chosen: tuple[int, ...] | None,
    remark: str,
) -> Matching:
    """Take classes by id. Categories that no class of the model can be are not averaged over."""
    wanted = set(categories) if chosen is None else set(chosen)
    given = _ids_of(labels, n_classes)
    evaluated = wanted if given is None else wanted & set(given)
    facts = ClassMatch(
        matched_by="id",
        n_matched=len(evaluated),
        n_categories=len(wanted),
        remark=remark,
        unknown_to_model=tuple(categories[number] for number in sorted(wanted - evaluated)),
        unknown_ids=tuple(sorted(set(given or ()) - set(categories))),
        ids=() if given is None else given,
    )
    restricted = None if (evaluated or wanted) == set(categories) else tuple(sorted(evaluated or wanted))
    return Matching(labels, facts, restricted)


def _ids_of(labels: Labels, n_classes: int | None) -> tuple[int, ...] | None:
    """Return the id of each class; None where the number of classes is not known."""
    if n_classes is None:
        return None
    if labels.map == "coco80":
        n_classes = min(n_classes, COCO80_TO_90.size - labels.offset)
    classes = np.arange(max(0, -labels.offset) if labels.ids is None else 0, n_classes)
    return tuple(number for number in category_ids(classes, labels).tolist() if number != LEFT_OUT)
