"""Room on a device: needs are known before anything is sent, a full disk is called one, and all can be removed."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.drivers import content, orphans, shell_device
from harness.drivers.room import parse_free, says_full
from harness.errors import DeviceError, DeviceFullError, UsageError
from tests.support.small_disk import small_disk

OLD_S = 2 * content.IN_USE_S


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """The devices of these tests are this computer, where other tests may be running something at the same time."""
    parse = orphans.parse_list
    ours = ("other:", orphans.new_marker().rpartition(":")[0])
    monkeypatch.setattr(
        orphans, "parse_list", lambda text: [one for one in parse(text) if one.startswith(ours)]
    )


def write(path, size):
    path.write_bytes(os.urandom(size))
    return path


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("write failed: No space left on device", True),
        ("E tool: ENOSPC", True),
        ("dd: error writing 'x': Disk quota exceeded", True),
        ("No space between words", False),
        ("", False),
    ],
)
def test_what_says_that_a_disk_is_full(text, full):
    assert says_full(text) == full


@pytest.mark.parametrize(
    ("text", "free"), [("10 4096\n", 40960), ("", None), ("? 4096", None), ("1 2 3", None)]
)
def test_free_bytes_are_known_or_unknown(text, free):
    assert parse_free(text) == free


def test_room_for_what_is_written_there_is_needed_too(adb_device, adbd, tmp_path):
    path = write(tmp_path / "model.bin", 1_000_000)
    with small_disk(Path(adbd.root), "4m"):
        adb_device.push([path], room=1_000_000)
        with pytest.raises(
            DeviceFullError, match=r"no space left on phone .*: needs 6\.0 MB, has .* MB"
        ) as raised:
            adb_device.push([path], room=5_000_000)
    assert f"`harness devices --clean adb:127.0.0.1:{adbd.port}`" in str(raised.value)


@pytest.mark.parametrize("kind", ["adb", "ssh"])
def test_a_disk_that_fills_while_files_are_sent_is_told_as_such(kind, request, tmp_path, monkeypatch):
    device = request.getfixturevalue(f"{kind}_device")
    survey = content.parse_survey
    monkeypatch.setattr(content, "parse_survey", lambda text: replace(survey(text), free_bytes=None))
    path = write(tmp_path / "model.bin", 9_000_000)
    with small_disk(Path(device.root), "4m"):
        with pytest.raises(DeviceFullError, match=r"no space left on .*: needs 10\.0 MB, has 4\.\d MB"):
            device.push([path])
        assert not list((Path(device.root) / ".incoming").iterdir()), "half a file is of no use"


def age(remote):
    for path in (Path(remote), Path(remote).parent):
        os.utime(path, (time.time() - OLD_S, time.time() - OLD_S))


def test_no_more_is_kept_than_asked_for_and_never_less_than_this_run_needs(adbd, tmp_path):
    paths = [write(tmp_path / f"{n}.bin", 1_000_000) for n in range(4)]
    earlier = adbd.device()
    old = [earlier.push([path])[0] for path in paths[:2]]
    earlier.close()
    for remote in old:
        age(remote)
    device = adbd.device(keep_bytes=2_500_000)
    (mine,) = device.push([paths[2]])
    assert [Path(remote).exists() for remote in (*old, mine)].count(True) == 2
    age(mine)
    (last,) = device.push([paths[3]])
    device.push([write(tmp_path / "more.bin", 1_000_000)])
    device.close()
    assert Path(mine).exists() and Path(last).exists(), "what this run uses stays, however old"
    assert not any(Path(remote).exists() for remote in old)


@pytest.fixture
def left_over(adbd, tmp_path, monkeypatch):
    """A phone with a model, and with the folder of a run that was killed."""
    folder = tmp_path / "work"
    monkeypatch.setattr(shell_device, "WORK_FOLDERS", (f"{folder}/harness-run-*",))
    (folder / "harness-run-harness-x").mkdir(parents=True)
    write(folder / "harness-run-harness-x" / "outputs.bin", 3_000_000)
    (folder / "mine").touch()
    device = adbd.device()
    device.push([write(tmp_path / "model.bin", 2_000_000)])
    device.close()
    return folder


def clean(workspace, adbd, *options):
    (workspace.devices / "phone.toml").write_text(
        f'name = "phone"\n[connection]\nkind = "adb"\nhost = "127.0.0.1"\nport = {adbd.port}\nroot = "{adbd.root}"\n'
    )
    words = ["--workspace", str(workspace.root), "devices", "--clean", "phone", *options]
    return CliRunner().invoke(cli, words)


def test_what_is_kept_on_a_phone_is_removed_and_its_size_told(workspace, adbd, left_over):
    done = clean(workspace, adbd, "--yes", "--format", "json")
    assert done.exit_code == 0, done.output
    assert "phone: freed 5.0 MB" in done.stderr
    assert 4_900_000 < int(done.stdout.partition('"freed_bytes": ')[2].split()[0].rstrip("}]")) < 5_200_000
    assert [path.name for path in left_over.iterdir()] == ["mine"]
    assert not Path(adbd.root).exists()
    assert "freed 0" in clean(workspace, adbd, "--yes").stderr


def test_nothing_is_removed_unasked(workspace, adbd, left_over):
    done = clean(workspace, adbd)
    assert isinstance(done.exception, UsageError) and "--yes" in str(done.exception)
    assert Path(adbd.root).exists() and (left_over / "harness-run-harness-x").exists()


def test_nothing_is_removed_while_another_harness_measures(workspace, adbd, left_over):
    marked = {**os.environ, "ONDEVICE_HARNESS_RUN": "other:1:x"}
    with subprocess.Popen(["sleep", "60"], env=marked) as other:
        done = clean(workspace, adbd, "--yes")
        other.kill()
    assert isinstance(done.exception, DeviceError)
    assert "another harness is measuring" in str(done.exception)
    assert Path(adbd.root).exists()


def test_nothing_is_kept_on_this_computer(workspace):
    done = CliRunner().invoke(
        cli, ["--workspace", str(workspace.root), "devices", "--clean", "local", "--yes"]
    )
    assert isinstance(done.exception, UsageError) and "for phones and boards" in str(done.exception)


def test_what_a_board_keeps_is_removed_with_its_images_and_runs(ssh_device, tmp_path, monkeypatch):
    monkeypatch.setattr(shell_device, "WORK_FOLDERS", ())
    ssh_device.push([write(tmp_path / "model.bin", 1_000_000)])
    for name in ("images", "runs"):
        (Path(ssh_device.root) / name).mkdir()
        write(Path(ssh_device.root) / name / "x", 1_000_000)
    assert 2_900_000 < ssh_device.clean() < 3_200_000
    assert not Path(ssh_device.root).exists()


def test_a_refusal_that_is_not_of_room_stays_what_it_is(adb_device, tmp_path):
    with pytest.raises(DeviceError) as raised:
        adb_device.send([(write(tmp_path / "x", 10), "/proc/no/such")])
    assert not isinstance(raised.value, DeviceFullError)
