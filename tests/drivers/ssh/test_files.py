"""Files that come back from a board as one archive."""

import io
import tarfile
import time

import pytest

from harness.drivers.ssh import files as ssh_files
from harness.errors import DeviceError
from tests.support.later import NOTICED_S


def test_some_files_of_a_folder_come_back_in_one_round_trip_and_the_folder_is_gone(ssh_device, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    for name, content in (("result.json", b"{}"), ("samples.npy", bytes(3000)), ("secret", b"x")):
        (there / name).write_bytes(content)
    ssh_device.run(["true"], timeout_s=60)
    before = ssh_device.round_trips
    ssh_device.pull_folder(str(there), ["result.json", "samples.npy", "absent.bin"], here)
    assert ssh_device.round_trips - before == 1
    assert {p.name: p.read_bytes() for p in here.iterdir()} == {
        "result.json": b"{}",
        "samples.npy": bytes(3000),
    }
    assert not there.exists()


def test_an_archive_can_write_nothing_but_the_files_that_were_asked_for(tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, kind in (
            ("../out", tarfile.REGTYPE),
            ("result.json", tarfile.SYMTYPE),
            ("ok", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO())
    (tmp_path / "here").mkdir()
    with ssh_files.unpacked("board", tmp_path / "here", ["ok", "result.json"]) as archive:
        archive.write(data.getvalue())
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["ok"]
    with (
        pytest.raises(DeviceError, match="no archive"),
        ssh_files.unpacked("board", tmp_path, ["x"]) as archive,
    ):
        archive.write(b"not a tar" * 1000)


def header(name, kind, size, **more):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    for key, value in more.items():
        setattr(member, key, value)
    return member.tobuf(tarfile.USTAR_FORMAT)


def pax(text):
    """A pax header of one record."""
    number = len(text) + len(str(len(text))) + 1
    number += len(str(number)) - len(str(len(text)))
    data = f"{number} {text}".encode()
    return header("pax", tarfile.XHDTYPE, len(data)) + data + bytes(-len(data) % 512)


def is_refused_at_once(here, data, words):
    begin = time.monotonic()
    with pytest.raises(DeviceError, match=words), ssh_files.unpacked("board", here, ["x"]) as archive:
        archive.write(data)
    assert time.monotonic() - begin < NOTICED_S
    assert sum(path.stat().st_size for path in here.iterdir()) < 10_000


LONG = 300 << 20


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE])
def test_a_header_of_hundreds_of_megabytes_is_not_read(tmp_path, kind):
    is_refused_at_once(tmp_path, header("x", kind, LONG) + bytes(4096), "headers of its members are longer")


def test_headers_without_end_are_not_read_to_their_end(tmp_path):
    many = pax("comment=" + "c" * 60_000 + "\n") * 100
    is_refused_at_once(tmp_path, many + header("x", tarfile.REGTYPE, 0), "headers of its members are longer")


def test_a_file_of_holes_does_not_fill_this_disk(tmp_path):
    old = bytearray(header("x", tarfile.GNUTYPE_SPARSE, 0))
    old[483:495] = b"%011o " % (8 << 30)
    old[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(old))[0]
    is_refused_at_once(tmp_path, bytes(old) + bytes(1024), "is 8,589,934,592 bytes long there")


def test_long_names_and_pax_headers_of_usual_length_are_read(tmp_path):
    name = "n" * 180
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in (name, "second"):
            member = tarfile.TarInfo(each)
            member.size = 5_000_000
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    with ssh_files.unpacked("board", tmp_path, [name, "second"]) as archive:
        archive.write(data.getvalue())
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {
        name: 5_000_000,
        "second": 5_000_000,
    }
