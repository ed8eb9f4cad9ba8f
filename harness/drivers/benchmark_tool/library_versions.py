"""The libraries that a delegate ran with: their hashes, the versions that they state, and whether those go together.

Qualcomm's libraries hold their SDK's version as text (`AISW_VERSION: 2.51.0`, `v2.51.0.260929181845`; looked up in the
libraries of QNN 2.51). The Hexagon delegate's say none, so only their hashes tell one set from another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from harness.hashing import known_hash
from harness.paths import content_of
from harness.records.records import LibraryFacts

_VERSION = re.compile(rb"AISW_VERSION: (\d+\.\d+\.\d+)|(?<![\w.])v(\d+\.\d+\.\d+)\.\d{12}")


def describe_libraries(files: Iterable[Path]) -> tuple[LibraryFacts, ...]:
    """Return name, hash and stated version of each library, sorted by name; one that cannot be read is left out."""
    found = []
    for file in sorted(set(files), key=lambda path: path.name):
        try:
            sha256 = known_hash(file)
            found.append(LibraryFacts(name=file.name, sha256=sha256, version=_version(file, sha256)))
        except OSError:
            continue
    return tuple(found)


@lru_cache(maxsize=64)
def _version(file: Path, sha256: str) -> str | None:
    match = _VERSION.search(content_of(file))
    return None if match is None else (match[1] or match[2]).decode()


def mixed_versions(libraries: Iterable[LibraryFacts]) -> str | None:
    """Return a sentence that names libraries of several versions; None where those that state one agree."""
    of: dict[str, list[str]] = {}
    for library in libraries:
        if library.version is not None:
            of.setdefault(library.version, []).append(library.name)
    if len(of) < 2:
        return None
    told = "; ".join(f"{', '.join(names)} of {version}" for version, names in sorted(of.items()))
    return f"the libraries beside the tool are of several versions ({told}): take all of them from one SDK"
