"""The images of a dataset on a board, kept by content: `ROOT/images/<first 32 digits of the sha256>.jpg`.

Data sets that share images share them there too. What is missing goes in one stream, however many images it is, and
counts only once its content was hashed there.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.drivers.base import Device
from harness.errors import DeviceError
from harness.hashing import hash_file
from harness.names import safe_file_name

DIGITS = 32
TIMEOUT_S = 600.0
_LIST = r"""
mkdir -p "$1" && cd "$1" || exit 73
find . -mindepth 1 -maxdepth 1 -name 'incoming-*' -mmin +720 -exec rm -rf {} + 2>/dev/null
ls
"""
_INSTALL = f"""
import hashlib, os, sys
folder, incoming = sys.argv[1:]
for name in os.listdir(incoming):
    path = os.path.join(incoming, name)
    with open(path, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if name.startswith(found[:{DIGITS}]):
        os.replace(path, os.path.join(folder, name))
    else:
        os.remove(path)
        print(name)
os.rmdir(incoming)
"""


class Board(Device, Protocol):
    """A device that packs: files go there and come back in streams, and it has a Python."""

    @property
    def root(self) -> str:
        """The folder for everything that is pushed, as an absolute path there."""

    @property
    def python(self) -> str:
        """The Python there."""

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths there, in one round trip."""

    def pull_folder(self, remote: str, names: Sequence[str], local: Path) -> None:
        """Copy some files of a folder there into a folder here, and remove the folder there."""

    def shell(self, script: str, timeout_s: float = 60.0) -> str:
        """Run a script of its shell and return its standard output."""


def place_images(board: Board, paths: Sequence[Path]) -> list[str]:
    """Make images available on a board and return their paths there, in the same order.

    One round trip when all are there, three when not. An image that cannot be read here gets a path where there is
    nothing, and the worker reports it.

    Raises:
        DeviceError: No space, a folder that cannot be written, an image that arrived damaged, …
    """
    folder = f"{board.root}/images"
    names = [_name(path) for path in paths]
    incoming = f"incoming-{secrets.token_hex(6)}"
    there = set(_run(board, ["sh", "-c", _LIST, "sh", folder]).splitlines())
    missing = {
        name: path for name, path in zip(names, paths, strict=True) if name is not None and name not in there
    }
    if missing:
        board.send([(path, f"{folder}/{incoming}/{name}") for name, path in missing.items()])
    damaged = _run(board, [board.python, "-c", _INSTALL, folder, f"{folder}/{incoming}"]) if missing else ""
    if damaged:
        raise DeviceError(board.name, f"{len(damaged.split())} image(s) arrived damaged: try again")
    return [f"{folder}/{name or 'unreadable/' + path.name}" for name, path in zip(names, paths, strict=True)]


def _name(path: Path) -> str | None:
    try:
        digest = hash_file(path)
    except OSError:
        return None
    return digest[:DIGITS] + safe_file_name(path.suffix)


def _run(board: Board, argv: Sequence[str]) -> str:
    done = board.run(argv, timeout_s=TIMEOUT_S)
    if done.exit_code != 0:
        raise DeviceError(
            board.name, "the images cannot be kept there", argv[:1], done.exit_code, done.stdout, done.stderr
        )
    return done.stdout
