"""Files on a device, kept by content: `ROOT/<first 16 digits of the sha256>/<name>`.

What is there already is not sent, however it is called or dated here; what is sent goes to a temporary name, is
hashed there, and only then renamed. One round trip compares any number of files. Used by adb and ssh alike.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from harness.drivers.room import FREE_SCRIPT, full_error, parse_free, says_full
from harness.errors import DeviceError, cannot_read
from harness.hashing import known_hash
from harness.names import safe_file_name
from harness.paths import is_file, size_of

FILES_A_SCRIPT = 100
"""A script is one argument of the device's shell (128 kB) and one request to an adb server (64 kB); a file takes at
most some 400 bytes of it."""
LIMIT_BYTES = 4_000_000_000
"""More than this is not kept on a device; the files unused for longest go first."""
IN_USE_S = 3600
"""What was pushed or used within the last hour may be in use by somebody else and stays."""
SPARE_BYTES = 1_000_000
HASH_TIMEOUT_S = 300.0
UNUSABLE = 73
"""EX_CANTCREAT of sysexits.h: what the script ends with when there is no such folder and none can be made."""

_PICK_HASH = """if command -v sha256sum >/dev/null 2>&1; then h=sha256sum
elif toybox sha256sum </dev/null >/dev/null 2>&1; then h='toybox sha256sum'
elif command -v md5sum >/dev/null 2>&1; then h=md5sum
elif toybox md5sum </dev/null >/dev/null 2>&1; then h='toybox md5sum'
else h='wc -c'; fi"""


class Channel(Protocol):
    """A device as the store needs it."""

    @property
    def name(self) -> str:
        """The device's name, for errors."""

    @property
    def spelling(self) -> str:
        """How `--device` takes it, for what an error says to do."""

    def shell(self, script: str, timeout_s: float) -> str:
        """Run a script of the device's shell and return what it printed; raise DeviceError unless it ends with 0."""

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths on the device; raise DeviceError with the device's reason."""


@dataclass(frozen=True)
class LocalFile:
    """A file of this computer and where its content belongs on a device."""

    path: Path
    sha256: str
    size: int

    @property
    def place(self) -> str:
        """Path below the root."""
        return f"{self.sha256[:16]}/{safe_file_name(self.path.name)}"

    @cached_property
    def md5(self) -> str:
        """MD5 sum, for devices without sha256sum; against accidents, not attackers."""
        return known_hash(self.path, "md5")

    def expected(self, tool: str) -> str:
        """Return the output that the device's tool must give."""
        if "sha256" in tool:
            return self.sha256
        return self.md5 if "md5" in tool else str(self.size)


@dataclass(frozen=True)
class StoredFile:
    """A file on the device: when it was used last (seconds there), its size and its place."""

    used_s: int
    size: int
    place: str


@dataclass(frozen=True)
class Survey:
    """Contents of a store at one time; `found` is what the device's tool printed for each place."""

    tool: str
    now_s: int
    free_bytes: int | None
    found: Mapping[str, str]
    stored: tuple[StoredFile, ...]

    def has(self, file: LocalFile) -> bool:
        """Return whether the very content is there; where nothing can hash, nobody knows."""
        return "sum" in self.tool and self.found.get(file.place) == file.expected(self.tool)


def read_local_file(path: Path, device: str) -> LocalFile:
    """Read a file of this computer.

    Raises:
        DeviceError: It cannot be read.
    """
    try:
        if not is_file(path):
            raise DeviceError(device, f"{path}: no such file")
        return LocalFile(path, known_hash(path), size_of(path))
    except OSError as error:
        raise DeviceError(device, cannot_read(path, error)) from error


class ContentStore:
    """The files below one folder of a device.

    Args:
        channel: The connection.
        root: Absolute path of the folder; it is made when it is needed.
        limit_bytes: Most bytes to keep there.
    """

    def __init__(self, channel: Channel, root: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self._channel, self.root, self._limit = channel, root.rstrip("/"), limit_bytes
        self._token = uuid.uuid4().hex[:12]
        self._used: set[str] = set()

    def push(self, paths: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Make files available and return their paths on the device, in the same order.

        Args:
            paths: Files of this computer.
            room: Bytes that must be free beside them, for what is written there.

        Raises:
            DeviceError: No space, a folder that cannot be written, a file that arrived damaged, …
        """
        files = [read_local_file(path, self._channel.name) for path in paths]
        different = list({file.place: file for file in files}.values())
        for begin in range(0, len(different), FILES_A_SCRIPT):
            self._push_some(different[begin : begin + FILES_A_SCRIPT], room)
        return tuple(f"{self.root}/{file.place}" for file in files)

    def _push_some(self, files: Sequence[LocalFile], room: int) -> None:
        survey = self._look(files)
        missing = [file for file in files if not survey.has(file)]
        needed = sum(file.size for file in missing) + room
        self._used.update(file.place for file in files)
        if missing or room:
            self._make_room(survey, needed)
        try:
            self._send(survey, missing)
        except DeviceError as error:
            if not says_full(str(error)):
                raise
            raise self._full(needed, self._free()) from error

    def _send(self, survey: Survey, missing: Sequence[LocalFile]) -> None:
        if missing:
            names = [f".incoming/{self._token}-{n}" for n in range(len(missing))]
            pairs = zip(missing, names, strict=True)
            self._channel.send([(file.path, f"{self.root}/{name}") for file, name in pairs])
            self._install(survey.tool, missing, names)

    def _look(self, files: Sequence[LocalFile]) -> Survey:
        try:
            return parse_survey(self._shell(survey_script(self.root, self._token, files), HASH_TIMEOUT_S))
        except DeviceError as error:
            if error.exit_code != UNUSABLE:
                raise
            message = f"{self.root}: the folder cannot be used"
            raise DeviceError(self._channel.name, message, stderr=error.stderr) from error

    def _free(self) -> int | None:
        """Remove what was sent in part, and return the bytes that are free then."""
        root = shlex.quote(self.root)
        with suppress(DeviceError):
            return parse_free(
                self._shell(
                    f"cd {root} && rm -f .incoming/{self._token}-*; set -- {root}; {FREE_SCRIPT}; exit 0"
                )
            )
        return None

    def _full(self, needed: int, free: int | None) -> DeviceError:
        return full_error(self._channel.name, self._channel.spelling, self.root, needed + SPARE_BYTES, free)

    def _make_room(self, survey: Survey, needed: int) -> None:
        victims = evict(survey, needed, self._limit, self._used)
        free = survey.free_bytes
        if free is not None and free + sum(old.size for old in victims) < needed + SPARE_BYTES:
            raise self._full(needed, free)
        if victims:
            self._shell(
                f"cd {shlex.quote(self.root)} && rm -f {shlex.join(old.place for old in victims)}; exit 0"
            )

    def _install(self, tool: str, files: Sequence[LocalFile], names: Sequence[str]) -> None:
        answer = self._shell(install_script(self.root, tool, files, names), HASH_TIMEOUT_S)
        said = dict(line.partition(" ")[::2] for line in answer.splitlines())
        for file, name in zip(files, names, strict=True):
            if said.get(name) != "ok":
                expected = file.expected(tool)
                raise DeviceError(
                    self._channel.name,
                    f"{file.path}: arrived damaged ({tool} is {said.get(name, 'unknown')} there, {expected} here)",
                )

    def clean(self, besides: Sequence[str] = ()) -> int:
        """Remove everything that was ever pushed or left there, and return the bytes that it took.

        Args:
            besides: What else is removed, as patterns of the shell; nothing in them may need quoting.
        """
        paths = " ".join([shlex.quote(self.root), *besides])
        # patterns may mean the same folder, and it counts once
        count = (
            f'set --; for f in {paths}; do case " $* " in *" $f "*) ;; *) set -- "$@" "$f";; esac; done; '
            'du -sk "$@" 2>/dev/null'
        )
        before = _kilobytes(self._shell(f"{count}; exit 0", HASH_TIMEOUT_S))
        self.forget()
        other = f"rm -rf {' '.join(besides)}; " if besides else ""
        return 1024 * (before - _kilobytes(self._shell(f"{other}{count}; exit 0", HASH_TIMEOUT_S)))

    def forget(self) -> None:
        """Remove everything that was pushed, by anybody, and the folder itself unless others keep files in it."""
        digits = "[0-9a-f]" * 16
        self._shell(
            f"cd {shlex.quote(self.root)} 2>/dev/null || exit 0\n"
            f"rm -rf {digits} .incoming .stderr-* images runs\n"
            f"cd / && rmdir {shlex.quote(self.root)} 2>/dev/null; exit 0",
            HASH_TIMEOUT_S,
        )

    def _shell(self, script: str, timeout_s: float = 60.0) -> str:
        return self._channel.shell(script, timeout_s)


def _kilobytes(text: str) -> int:
    return sum(int(words[0]) for line in text.splitlines() if (words := line.split()) and words[0].isdigit())


def survey_script(root: str, token: str, files: Sequence[LocalFile]) -> str:
    """Write the script that makes the folder, hashes what is there and prints how much room there is."""
    where = shlex.quote(root)
    places = " ".join(shlex.quote(file.place) for file in files)
    return f"""mkdir -p {where}/.incoming && cd {where} || exit {UNUSABLE}
rm -f .incoming/{token}-*
find .incoming -type f -mmin +60 -exec rm -f {{}} \\; 2>/dev/null
{_PICK_HASH}
echo "tool $h"
echo "now $(date +%s)"
echo "space $(stat -f -c '%a %S' . 2>/dev/null)"
$h {places} 2>/dev/null | while read s p; do echo "have $s $p"; done
touch -c {places} 2>/dev/null
stat -c 'file %Y %s %n' {"[0-9a-f]" * 16}/* 2>/dev/null
exit 0"""


def parse_survey(text: str) -> Survey:
    """Read what `survey_script` printed; what a device does not print is None."""
    values: dict[str, str] = {}
    found: dict[str, str] = {}
    stored: list[StoredFile] = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "have":
            digest, _, place = rest.partition(" ")
            found[place.strip()] = digest
        elif kind == "file":
            used, size, place = (*rest.split(" ", 2), "", "")[:3]
            if used.isdigit() and size.isdigit():
                stored.append(StoredFile(int(used), int(size), place))
        else:
            values[kind] = rest.strip()
    free = parse_free(values.get("space", ""))
    now = values.get("now", "")
    return Survey(values.get("tool", ""), int(now) if now.isdigit() else 0, free, found, tuple(stored))


def evict(survey: Survey, needed: int, limit: int, leave: set[str]) -> list[StoredFile]:
    """Choose what must go so that `needed` bytes fit: the files unused for longest, none used in the last hour."""
    total = sum(old.size for old in survey.stored) + needed
    free = survey.free_bytes
    victims: list[StoredFile] = []
    for old in sorted(survey.stored, key=lambda old: old.used_s):
        short = free is not None and free < needed + SPARE_BYTES
        if not short and total <= limit:
            break
        if old.place in leave or old.used_s > survey.now_s - IN_USE_S:
            continue
        victims.append(old)
        total -= old.size
        free = None if free is None else free + old.size
    return victims


def install_script(root: str, tool: str, files: Sequence[LocalFile], names: Sequence[str]) -> str:
    """Write the script that hashes what arrived and renames it if it is right.

    It prints a line `NAME ok` for each, or `NAME` and what it found instead.
    """
    where = shlex.quote(root)
    arrived = shlex.join(names)
    right = "\n".join(
        f"{shlex.quote(f'{name} {file.expected(tool)}')}) mv -f {shlex.quote(name)} {file.place} && s=ok;;"
        for file, name in zip(files, names, strict=True)
    )
    folders = " ".join(sorted({file.place.partition("/")[0] for file in files}))
    return f"""cd {where} && mkdir -p {folders} && chmod 755 {arrived} && touch {arrived} || exit 74
{tool} {arrived} | while read s n; do
case "$n $s" in
{right}
*) rm -f "$n";;
esac
echo "$n $s"; done
exit 0"""
