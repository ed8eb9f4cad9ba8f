"""Odd pictures, models and archives: each costs itself, in time, with an error of ours."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.archive import extract_member
from harness.bench.request import Request
from harness.drivers.ssh import files as board_files
from harness.errors import HarnessError
from harness.session import let_go, prepare
from harness.settings import Settings
from tests.support import odd_models
from tests.support.attack.calls import AttackError, in_time
from tests.support.paths import DATASET, REPOSITORY

PICTURE_S, MODEL_S, ARCHIVE_S = 15.0, 60.0, 15.0
"""At rest these take some milliseconds, a second, and some milliseconds."""


def pictures(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Damage pictures of every format: they are read, or are unreadable images with a reason."""
    whole = _pictures(folder)
    for number in range(faults):
        data, how = _damaged(chance.choice(whole), chance)
        path = folder / f"picture-{number % 7}"
        path.write_bytes(data)
        begin, ended = time.monotonic(), "read"
        for read in (read_header, read_image):
            try:
                read(path)
            except UnreadableImageError as error:
                ended = "unreadable"
                if not error.why:
                    raise AttackError(f"{how}: unreadable without a reason") from error
            except Exception as error:
                path.rename(folder / "found")
                raise AttackError(f"{how}, {read.__name__}, {folder / 'found'}: {error!r}") from error
        in_time(how, begin, PICTURE_S)
        yield f"{how}, {ended}"


def _pictures(folder: Path) -> list[bytes]:
    source = next(DATASET.glob("images/*.jpg"))
    made = [source.read_bytes()]
    with Image.open(source) as image:
        small = image.resize((64, 48))
        for kind, more in (
            ("PNG", {}),
            ("GIF", {}),
            ("BMP", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("WEBP", {}),
        ):
            file = io.BytesIO()
            small.save(file, kind, **more)
            made.append(file.getvalue())
        file = io.BytesIO()
        exif = Image.Exif()
        exif[274] = 6
        small.save(file, "JPEG", exif=exif)
    return [*made, file.getvalue(), *(_huge_png(side) for side in (9_000, 50_000, 2**31 - 1))]


def _huge_png(side: int) -> bytes:
    """A PNG that says that it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def _damaged(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    how = chance.choice(("bits", "bits of the head", "cut", "doubled", "overwritten", "empty", "whole"))
    made = bytearray(data)
    if how.startswith("bits"):
        most = min(len(made), 200) if how.endswith("head") else len(made)
        for _ in range(chance.randint(1, 12)):
            made[chance.randrange(most)] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del made[chance.randrange(len(made)) :]
    elif how == "doubled":
        made += data
    elif how == "overwritten":
        at = chance.randrange(len(made))
        made[at : at + 40] = chance.randbytes(40)
    elif how == "empty":
        made.clear()
    return bytes(made), how


def models(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Ask for a run of a good model beside an odd one: the good one is in the plan, and the other has a reason."""
    odd = odd_models.make(folder)
    source = odd_models.SOURCE.read_bytes()
    for number in range(faults):
        path, how = chance.choice(odd), "odd"
        if chance.random() < 0.5:
            path, (data, how) = folder / f"damaged-{number % 5}.tflite", _damaged(source, chance)
            path.write_bytes(data)
        begin = time.monotonic()
        try:
            _asks_beside_a_good_one(path, folder)
        except HarnessError as error:
            raise AttackError(f"{path.name}, {how}: took the good model down: {error}") from error
        in_time(path.name, begin, MODEL_S)
        yield how


def _asks_beside_a_good_one(path: Path, folder: Path) -> None:
    request = Request(
        models=(str(path), "shapes-float16"),
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(folder / "results"),
        settings=Settings(limit=2),
    )
    ready = prepare(request)
    let_go(ready)
    good = [cell for cell in ready.plan.cells if cell.model.name == "shapes-float16"]
    if len(good) != 1 or good[0].problem or "Traceback" in str([cell.problem for cell in ready.plan.cells]):
        raise AttackError(f"{path}: {[(cell.model.name, cell.problem) for cell in ready.plan.cells]}")


def archives(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Damage archives, and give them headers that say anything: refused in time, and nothing is written beside."""
    here = folder / "here"
    here.mkdir()
    for _ in range(faults):
        data, how = _archive(chance)
        begin, ended = time.monotonic(), "taken"
        (folder / "a.tar").write_bytes(data)
        try:
            if chance.random() < 0.5:
                extract_member(folder / "a.tar", "net.tflite", here / "net.tflite", 1 << 20)
            else:
                with board_files.unpacked("board", here, ["net.tflite"]) as archive:
                    archive.write(data)
        except HarnessError:
            ended = "refused"
        in_time(how, begin, ARCHIVE_S)
        found = {path.name: path.stat().st_size for path in here.iterdir()}
        if set(found) - {"net.tflite"} or sum(found.values()) > 2 << 20:
            raise AttackError(f"{how}: wrote {found}")
        (here / "net.tflite").unlink(missing_ok=True)
        yield f"{how}, {ended}"


_TYPES = (*(bytes([kind]) for kind in b"01234567LKSxgXNMDV"), b"\0")


def _archive(chance: random.Random) -> tuple[bytes, str]:
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=chance.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    ) as tar:
        for name in ("n" * chance.choice((5, 180)), "net.tflite", "../out"):
            member = tarfile.TarInfo(name)
            member.size = chance.choice((0, 700, 5000))
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    if chance.random() < 0.4:
        return _damaged(file.getvalue(), chance)
    member = tarfile.TarInfo(chance.choice(("net.tflite", "x")))
    member.type = chance.choice(_TYPES)
    member.size = chance.choice((0, 1, 512, 100 << 20, 7 << 30))
    member.linkname = "/etc/passwd"
    head = member.tobuf(tarfile.GNU_FORMAT)[:512]
    records = (b"", b"99999999 path=x\n", b"30 GNU.sparse.size=99999999999\n")
    body = chance.choice(records).ljust(512, b"\0")
    return head + body * chance.choice((0, 1, 40)) + file.getvalue(), f"a header of type {member.type!r}"
