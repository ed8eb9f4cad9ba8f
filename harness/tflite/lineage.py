"""What a model was made from, by the hashes of both files: which float model a quantized one is a version of.

`harness quantize` and `harness convert` note it below the cache, under the hash of what they made, so that it holds
wherever the file lies and whatever it is called. Nothing is written into a model: it stays what the converter made.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness import atomic
from harness.cards import cache_folder
from harness.errors import OutputError
from harness.hashing import hash_file
from harness.paths import content_of, files_below, is_file, is_folder

_MOST = 16
"""Steps from a model to its first source; more are a circle."""


def remember(made: Path, source: Path) -> None:
    """Note that a file was made from another, or from the files of a folder; where that cannot be noted, go on.

    Args:
        made: The model that was written.
        source: The model, graph or SavedModel that it was made from.
    """
    if not is_file(made):  # it went to a pipe
        return
    sources = sorted(files_below(source)) if is_folder(source) else [source]
    try:
        atomic.write_bytes(_note(hash_file(made)), msgspec.json.encode([hash_file(file) for file in sources]))
    except (OutputError, OSError):
        return


def ancestors(sha256: str) -> tuple[str, ...]:
    """Return the hashes of what a model was made from, and of what that was made from, as far as it is known."""
    found: dict[str, None] = {}
    waiting = [sha256]
    for _ in range(_MOST):
        waiting = [source for one in waiting for source in _sources(one) if source not in found]
        found.update(dict.fromkeys(waiting))
    return tuple(found)


def _sources(sha256: str) -> Iterable[str]:
    try:
        return msgspec.json.decode(content_of(_note(sha256)), type=list[str])
    except (OSError, msgspec.DecodeError):
        return ()


def _note(sha256: str) -> Path:
    return cache_folder() / "lineage" / f"{sha256}.json"
