"""Which models are versions of one another: by what they were made from, or as their cards say.

Two models belong together where one was made from the other or both from the same source (hashes that `quantize` and
`convert` noted, kept in the records), and where a card says `version_of` another. Of the others nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harness.records.records import ModelFacts, StoredRecord

Identities = Mapping[str, str]
"""What versions of one model share, by the hash of each."""


class Origin(NamedTuple):
    """A model, and what is known of it as a version of another."""

    sha256: str
    name: str
    version_of: str | None
    lineage: tuple[str, ...]


def origin_of(model: ModelFacts) -> Origin:
    """Return what a record says of a model as a version of another."""
    said = model.card.get("version_of")
    return Origin(model.sha256, model.name, said if isinstance(said, str) else None, model.lineage)


def identities(stored: Iterable[StoredRecord]) -> dict[str, str]:
    """Return what the versions of each model share, by the hash of its file; absent where nothing is known of it."""
    return identities_of(origin_of(one.record.model) for one in stored)


def identities_of(origins: Iterable[Origin]) -> dict[str, str]:
    """Return the same, of what records say of their models."""
    models = {model.sha256: model for model in origins}
    named = {model.version_of for model in models.values() if model.version_of}
    joined: dict[str, str] = {}
    for model in models.values():
        for other in _linked(model, named):
            joined[_root(joined, other)] = _root(joined, model.sha256)
    known = set(joined) | set(joined.values())
    return {sha256: _root(joined, sha256) for sha256 in models if sha256 in known}


def _linked(model: Origin, named: set[str]) -> list[str]:
    """Return what a model is linked with: hashes of files, and names of cards."""
    names = [model.version_of, model.name.partition("[")[0] if model.name in named else None]
    return [*model.lineage, *(f"card {name}" for name in names if name)]


def _root(joined: Mapping[str, str], one: str) -> str:
    while one in joined and joined[one] != one:
        one = joined[one]
    return one
