"""Files that come back from a board as one archive."""

import io
import tarfile

import pytest

from harness.drivers.ssh import files as ssh_files
from harness.errors import DeviceError


def test_some_files_of_a_folder_come_back_in_one_round_trip_and_the_folder_is_gone(ssh_device, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    for name, content in (("result.json", b"{}"), ("samples.npy", bytes(3000)), ("secret", b"x")):
        (there / name).write_bytes(content)
    ssh_device.run(["true"], timeout_s=5)
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
