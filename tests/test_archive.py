"""One member out of an archive that nobody has reason to trust."""

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.archive import extract_member
from harness.errors import FetchError

Maker = Callable[[Path, dict[str, bytes]], None]


def make_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)


def make_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def tar_of(path: Path, **attributes: object) -> Path:
    """Make a tar whose one member `m` is not a plain file."""
    info = tarfile.TarInfo("m")
    for key, value in attributes.items():
        setattr(info, key, value)
    with tarfile.open(path, "w:gz") as file:
        file.addfile(info)
    return path


both = pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])


def extract(archive: Path, member: str = "m", limit: int = 1000) -> bytes:
    target = archive.parent / "out" / "file"
    target.parent.mkdir()
    extract_member(archive, member, target, limit)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    return target.read_bytes()


@both
def test_only_the_named_member_comes_out_and_under_the_callers_name(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", {"x/first": b"1", "x/m": b"model", "last": b"3"})
    assert extract(tmp_path / "a", "x/m") == b"model"


@both
def test_a_leading_dot_slash_does_not_matter(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", {"./x/m": b"model"})
    assert extract(tmp_path / "a", "x/m") == b"model"


@both
@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..\\evil", "x/../../evil"])
def test_a_member_whose_name_leads_outside_is_written_where_the_caller_said(
    tmp_path: Path, make: Maker, name: str
) -> None:
    inner = tmp_path / "deep" / "deeper"
    inner.mkdir(parents=True)
    make(inner / "a", {name: b"data"})
    assert extract(inner / "a", name) == b"data"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a", "file"}


@both
def test_an_absent_member_is_answered_with_one_of_a_similar_name(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", {"net/model.tflite": b"x", "README": b"y"})
    with pytest.raises(FetchError, match=r"no member 'model\.tflite'; there is 'net/model\.tflite'"):
        extract(tmp_path / "a", "model.tflite")


@both
def test_a_member_larger_than_the_bound_is_refused(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", {"m": bytes(1001)})
    with pytest.raises(FetchError, match=r"member 'm' is larger than 1,000 bytes; refused"):
        extract(tmp_path / "a")


def test_a_zip_that_lies_about_a_members_size_is_refused(tmp_path: Path) -> None:
    make_zip(tmp_path / "a", {"m": bytes(100_000)})
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(FetchError, match="not a readable zip or tar archive"):
        extract(tmp_path / "a")


def test_a_tar_that_unpacks_to_far_more_than_the_member_is_given_up(tmp_path: Path) -> None:
    make_tar(tmp_path / "a", {"bomb": bytes(10_000), "m": b"x"})
    with pytest.raises(FetchError, match=r"larger unpacked than 4,000 bytes"):
        extract(tmp_path / "a")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE],
    ids=["symlink", "hard link", "folder", "fifo", "character device", "block device"],
)
def test_a_tar_member_that_is_not_a_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    archive = tar_of(tmp_path / "a", type=kind, linkname=str(secret))
    with pytest.raises(FetchError, match="is not a plain file"):
        extract(archive)


def test_a_zip_member_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("m")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(FetchError, match="is not a plain file"):
        extract(tmp_path / "a")


def test_a_folder_in_a_zip_is_refused(tmp_path: Path) -> None:
    make_zip(tmp_path / "a", {"m/": b""})
    with pytest.raises(FetchError, match="is not a plain file"):
        extract(tmp_path / "a", "m/")


@both
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_the_name_are_refused(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", {"m": b"one", "./m": b"two"})
    with pytest.raises(FetchError, match="2 members are called 'm', expected one"):
        extract(tmp_path / "a")


def test_an_encrypted_zip_is_refused_in_words(tmp_path: Path) -> None:
    make_zip(tmp_path / "a", {"m": b"secret"})
    data = bytearray((tmp_path / "a").read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(FetchError, match=r"not a readable zip or tar archive .*encrypted"):
        extract(tmp_path / "a")


@both
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_truncated_archive_is_an_error_in_words(tmp_path: Path, make: Maker, keep: float) -> None:
    make(tmp_path / "a", {"m": os.urandom(900), "n": os.urandom(900)})
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(FetchError, match=r"^a: "):
        extract(tmp_path / "a", "n")


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(FetchError, match="a: not a readable zip or tar archive"):
        extract(tmp_path / "a")


def test_a_target_that_cannot_be_written_is_not_blamed_on_the_archive(tmp_path: Path) -> None:
    make_zip(tmp_path / "a", {"m": b"x"})
    with pytest.raises(FileNotFoundError):
        extract_member(tmp_path / "a", "m", tmp_path / "absent" / "file", 10)


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "kind",
    [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE],
    ids=["long name", "long link", "pax header", "global pax header"],
)
def test_a_header_that_unpacks_to_hundreds_of_megabytes_is_refused_before_it_is_read(
    tmp_path: Path, kind: bytes
) -> None:
    size = 200 << 20
    with gzip.open(tmp_path / "a", "wb", compresslevel=1) as file:
        file.write(header(kind, size))
        for _ in range(8):  # the rest never comes: it must not even be asked for
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(
            FetchError, match=r"headers of its members are longer than 4,194,304 bytes; refused"
        ):
            extract(tmp_path / "a")
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_an_endless_map_of_holes_is_refused(tmp_path: Path) -> None:
    pax = b"".join(
        f"{len(text) + 4:d} {text}\n".encode()[:]
        for text in ("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=m", "GNU.sparse.realsize=9")
    )
    with gzip.open(tmp_path / "a", "wb", compresslevel=1) as file:
        file.write(header(tarfile.XHDTYPE, len(pax)) + pax.ljust(512, b"\0"))
        file.write(header(tarfile.REGTYPE, 8 << 20))
        file.write(b"9" * (8 << 20))
    with pytest.raises(FetchError):
        extract(tmp_path / "a")


def test_a_tar_of_more_members_than_anyone_packs_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a", "wb", compresslevel=1) as file:
        file.write(header(tarfile.REGTYPE, 0) * 9_000)
    with pytest.raises(FetchError, match="longer than 4,194,304 bytes; refused"):
        extract(tmp_path / "a", limit=100_000_000)


@pytest.mark.parametrize("form", ["gz", "bz2", "xz", ""])
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_are_read_whatever_the_compression(tmp_path: Path, form: str, kind: int) -> None:
    name = "/".join(["folder"] * 40) + "/m"
    with tarfile.open(tmp_path / "a", f"w:{form}", format=kind) as file:
        for each in ("first", name, "last"):
            info = tarfile.TarInfo(each)
            info.size = 5
            file.addfile(info, io.BytesIO(b"model"))
    assert extract(tmp_path / "a", name) == b"model"
