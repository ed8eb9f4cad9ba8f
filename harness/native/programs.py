"""The built programs of the native worker: which there are, that they are whole, and that they are of this source.

A wheel carries them; an installation from a checkout has them once `python -m harness.native.build` has built them.
They lie in `programs/`, with `programs.json`, which holds their hashes and the hash of the source.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.hashing import known_hash
from harness.install import pip_install

SOURCE = Path(__file__).resolve().parent / "source"
PROGRAMS = Path(__file__).resolve().parent / "programs"
LIST = "programs.json"
ZIG = "ziglang==0.17.1"
"""The compiler; another one makes other bytes."""
ABIS = {"arm64-v8a": "arm64", "aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}
"""The worker's word for a processor, by Android's and by `uname -m`."""


@dataclass(frozen=True)
class Program:
    """A built worker.

    Attributes:
        path: The program.
        sha256: Its hash.
        build: The hash of the source that it was built from, which it states in its first word.
    """

    path: Path
    sha256: str
    build: str


class NoProgramError(UsageError):
    """There is no worker for a kind of device; the message says why and what to do."""


def find_program(system: str, abi: str, folder: Path = PROGRAMS) -> Program:
    """Return the worker for a kind of device.

    Args:
        system: `android` or `linux`.
        abi: The device's processor, as Android or `uname -m` names it.
        folder: Where the programs lie.

    Raises:
        NoProgramError: There is none for that processor, none is built, or what lies there is not what was built from
            this source.
    """
    name = f"{system}-{ABIS.get(abi.lower(), abi)}"
    build, hashes = _read_list(folder)
    if name not in hashes:
        there = ", ".join(sorted(hashes))
        raise NoProgramError(f"no worker of our own is built for {system} on {abi}; there is one for {there}")
    program = Program(folder / f"harness-worker-{name}", hashes[name], build)
    if program.build != source_hash():
        raise NoProgramError(
            f"the worker for {name} was built from another source than this; {how_to_build()}"
        )
    try:
        found = known_hash(program.path)
    except OSError as error:
        raise NoProgramError(
            f"the worker {program.path} cannot be read: {error}; {how_to_build()}"
        ) from error
    if found != program.sha256:
        raise NoProgramError(
            f"the worker {program.path} has the hash {found}, expected {program.sha256}; {how_to_build()}"
        )
    return program


def how_to_build() -> str:
    """Say how the programs are built."""
    return f"to build it: `{pip_install(ZIG)}`, then `python -m harness.native.build`"


def source_hash(folder: Path = SOURCE) -> str:
    """Return the hash of the source: of every file's name and content, and of the compiler's version."""
    found = hashlib.sha256(ZIG.encode())
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        found.update(f"\n{path.name} {len(data)}\n".encode() + data)
    return found.hexdigest()


def _read_list(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the hash of the source that was built, and the hashes of the programs."""
    try:
        listed = json.loads((folder / LIST).read_text("utf-8"))
        return listed["build"], listed["programs"]
    except (OSError, ValueError, KeyError) as error:
        raise NoProgramError(f"the worker of our own is not built here; {how_to_build()}") from error
