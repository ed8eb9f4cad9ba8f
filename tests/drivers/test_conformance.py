"""What every device does, whatever it is reached by."""

import hashlib
import os
from pathlib import Path

import pytest

from harness.drivers.base import Completed, Device, DeviceInfo
from harness.errors import DeviceError, OutputError
from tests.support.processes import that_name, until

NAMES = [
    "plain.tflite",
    "with space.bin",
    'it\'s "quoted".bin',
    "$HOME `id` $(id).bin",
    "new\nline.bin",
    "modèle-模型.tflite",
    "-rf.bin",
    "a;b&c|d*e?.bin",
]


def write(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def sh(device: Device, script: str, *arguments: str, timeout_s: float = 30.0, **options) -> Completed:
    return device.run(["sh", "-c", script, "sh", *arguments], timeout_s=timeout_s, **options)


def test_it_describes_itself_without_inventing_anything(device):
    info = device.describe()
    assert isinstance(info, DeviceInfo)
    assert (info.name, info.state) == (device.name, "ready")
    assert info.abi == os.uname().machine
    assert "cpu" in info.delegates
    assert all(value not in {"", None, -1} for value in info.facts.values())


@pytest.mark.parametrize("size", [0, 1, 512, 65_536, 5_000_000])
def test_a_file_comes_back_as_it_was_sent(device, tmp_path, size):
    content = os.urandom(size)
    (remote,) = device.push([write(tmp_path, "file.bin", content)])
    device.pull(remote, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == content


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_pushed_and_its_path_works_as_an_argument(device, tmp_path, name):
    (remote,) = device.push([write(tmp_path / "here", name, b"content of it")])
    assert device.run(["cat", remote], timeout_s=60).stdout == "content of it"
    device.pull(remote, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"content of it"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_on_the_device_is_pulled(device, tmp_path, name):
    remote = str(tmp_path / "there" / name)
    assert (
        sh(device, 'mkdir -p "$1" && printf %s "$2" >"$3"', str(tmp_path / "there"), "x y", remote).exit_code
        == 0
    )
    device.pull(remote, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == b"x y"


def test_files_are_returned_in_their_order_even_when_two_are_the_same(device, tmp_path):
    one, two = write(tmp_path / "1", "m.tflite", b"one"), write(tmp_path / "2", "m.tflite", b"two")
    remote = device.push([one, two, one])
    assert remote[0] == remote[2] != remote[1]
    assert [device.run(["cat", path], timeout_s=60).stdout for path in remote] == ["one", "two", "one"]


def test_a_changed_file_of_equal_size_and_name_is_the_new_one(device, tmp_path):
    path = write(tmp_path, "m.tflite", b"old")
    device.push([path])
    stamp = path.stat().st_mtime_ns
    path.write_bytes(b"new")
    os.utime(path, ns=(stamp, stamp))
    (remote,) = device.push([path])
    assert device.run(["cat", remote], timeout_s=60).stdout == "new"


def test_a_file_that_does_not_exist_here_is_said_before_anything_is_sent(device, tmp_path):
    with pytest.raises(DeviceError, match=r"gone\.tflite: no such file"):
        device.push([write(tmp_path, "there.bin", b"x"), tmp_path / "gone.tflite"])


def test_pushing_nothing_is_nothing(device):
    assert device.push([]) == ()


@pytest.mark.parametrize("code", [0, 1, 3, 127, 137, 255])
def test_the_exit_code_is_the_command_s_own(device, code):
    assert sh(device, f"exit {code}").exit_code == code


def test_a_command_that_dies_of_a_signal_says_which(device):
    assert sh(device, "kill -9 $$").exit_code in {-9, 137}


def test_a_program_that_does_not_exist_is_an_error_and_not_an_exit_code(device):
    for program in ("no-such-program-anywhere", "/no/such/program"):
        with pytest.raises(DeviceError, match="cannot start"):
            device.run([program, "x"], timeout_s=60)


def test_a_file_that_is_no_program_is_an_error(device, tmp_path):
    with pytest.raises(DeviceError, match="cannot start"):
        device.run([str(tmp_path)], timeout_s=60)


def test_stderr_is_kept_apart_from_stdout(device):
    done = sh(device, "echo out; echo err >&2; echo out again")
    assert (done.stdout, done.stderr) == ("out\nout again\n", "err\n")


def test_what_has_no_line_end_is_kept_as_it_is(device):
    assert sh(device, "printf 'a\\n\\nb'").stdout == "a\n\nb"
    assert sh(device, "true").stdout == ""


def test_output_that_is_no_text_does_not_break_anything(device):
    done = sh(device, r"printf 'a\377\376b\n'")
    assert done.stdout.startswith("a")
    assert done.stdout.endswith("b\n")


def test_fifty_megabytes_of_output_arrive_whole(device):
    done = sh(device, "yes 0123456789abcde | head -c 50000000", timeout_s=120)
    assert len(done.stdout) == 50_000_000
    expected = (b"0123456789abcde\n" * (50_000_000 // 16 + 1))[:50_000_000]
    assert hashlib.sha256(done.stdout.encode()).digest() == hashlib.sha256(expected).digest()


def test_lines_are_told_as_they_come(device, tmp_path):
    """The command goes on when its first line was heard."""
    told, heard = [], tmp_path / "heard"

    def hear_line(text):
        told.append(text)
        heard.touch()

    script = 'echo one; until [ -e "$1" ]; do sleep 0.05; done; echo two; printf three'
    done = sh(device, script, str(heard), timeout_s=60, on_line=hear_line)
    assert (told, done.timed_out) == (["one", "two", "three"], False)


def test_the_environment_is_added_to_and_not_interpreted(device):
    value = "a b $HOME 'x' \"y\" `id`\nè"
    done = device.run(["printenv", "HARNESS_TEST"], timeout_s=60, env={"HARNESS_TEST": value})
    assert done.stdout == value + "\n"
    assert sh(device, 'test -n "$PATH"').exit_code == 0


def test_arguments_are_not_interpreted(device):
    arguments = [
        "$HOME",
        "a  b",
        "*",
        "`id`",
        "$(id)",
        "it's",
        '"',
        "\\",
        "new\nline",
        "",
        "~",
        "è",
        "-n",
        ";ls",
        "a=b",
    ]
    done = device.run(["printf", "<%s>", *arguments], timeout_s=60)
    assert done.stdout == "".join(f"<{argument}>" for argument in arguments)


def test_an_argument_that_no_program_can_take_is_refused_and_not_cut(device):
    with pytest.raises(DeviceError, match="cannot start"):
        device.run(["echo", "a\0b"], timeout_s=60)


def test_standard_input_is_empty(device):
    assert device.run(["cat"], timeout_s=60).exit_code == 0


def test_a_command_that_takes_too_long_is_killed_with_all_its_children(device, tmp_path):
    followed = write(tmp_path, "followed", b"")
    follow = 'tail -f "$1"'
    script = f"echo begun; {follow} & sh -c '{follow} & {follow}; exit' sh \"$1\"; exit"
    done = sh(device, script, str(followed), timeout_s=2.0)
    assert done.timed_out
    assert done.exit_code != 0
    assert done.stdout == "begun\n"
    until(lambda: not that_name(followed), "something lives on")
    assert sh(device, "echo well").stdout == "well\n"


def test_a_command_in_time_is_not_timed_out_and_knows_how_long_it_took(device):
    done = sh(device, "sleep 0.3", timeout_s=20)
    assert not done.timed_out
    assert 0.3 <= done.duration_s < 20


def test_a_missing_file_leaves_the_local_one_untouched(device, tmp_path):
    local = write(tmp_path, "local.bin", b"precious")
    with pytest.raises(DeviceError, match="no-such-file"):
        device.pull(str(tmp_path / "no-such-file"), local)
    assert local.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["local.bin"]


def test_pulling_a_folder_is_refused_and_leaves_nothing(device, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DeviceError):
        device.pull(str(tmp_path / "folder"), tmp_path / "back.bin")
    assert not (tmp_path / "back.bin").exists()


def test_pulling_to_where_nothing_can_be_written_says_so(device, tmp_path):
    (remote,) = device.push([write(tmp_path, "x", b"x")])
    with pytest.raises((DeviceError, OutputError), match="cannot be"):
        device.pull(remote, tmp_path / "no-such-folder" / "x")


def test_an_error_names_the_device_first(device):
    with pytest.raises(DeviceError) as caught:
        device.run(["/no/such/program"], timeout_s=60)
    assert str(caught.value).startswith(f"{device.name}: ")
    assert caught.value.device == device.name


def test_it_can_be_closed_twice(device):
    device.run(["true"], timeout_s=60)
    device.close()
    device.close()


def hear(conversation, timeout_s=20.0):
    """Everything that a command says to its end."""
    said = b""
    while data := conversation.receive(timeout_s):
        said += data
    assert data == b""
    return said


def test_a_command_is_written_to_while_it_is_heard(stream_device):
    with stream_device.converse(["cat"]) as conversation:
        for last in b"0123456789abcdef":  # one of them begins the word that tells an output's end on a board
            sent = os.urandom(1000) + bytes([last])
            assert conversation.send(sent, 20)
            heard = b""
            while len(heard) < len(sent):
                heard += conversation.receive(20)
            assert heard == sent
        assert conversation.receive(0.05) is None
        conversation.finish()
        assert (hear(conversation), conversation.exit_code) == (b"", 0)


def test_neither_side_of_a_stream_waits_for_the_other(stream_device):
    sent = os.urandom(6_000_000)
    with stream_device.converse(["sh", "-c", "tee /dev/stderr 2>/dev/null"]) as conversation:
        assert conversation.send(sent, 60)
        conversation.finish()
        assert hear(conversation) == sent


def test_a_command_that_ends_before_all_is_written_says_how_it_ended(stream_device):
    with stream_device.converse(["sh", "-c", "head -c 10; echo why >&2; exit 3"]) as conversation:
        assert conversation.send(bytes(2_000_000), 20)
        assert hear(conversation) == bytes(10)
        assert (conversation.exit_code, conversation.errors) == (3, "why\n")


def test_a_program_that_does_not_exist_cannot_be_spoken_with(stream_device):
    with (
        pytest.raises(DeviceError, match="cannot start"),
        stream_device.converse(["/no/such/program"]) as conversation,
    ):
        hear(conversation)


def test_what_still_runs_at_the_end_of_a_conversation_is_killed(stream_device, tmp_path):
    followed = write(tmp_path, "followed", b"")
    script = 'tail -f "$1" & echo begun; tail -f "$1"; exit'
    with stream_device.converse(["sh", "-c", script, "sh", str(followed)]) as conversation:
        assert conversation.receive(20) == b"begun\n"
        assert that_name(followed)
    until(lambda: not that_name(followed), "something lives on")


def test_a_conversation_has_its_environment(stream_device):
    with stream_device.converse(["printenv", "HARNESS_TEST"], env={"HARNESS_TEST": "a 'b'"}) as conversation:
        assert hear(conversation) == b"a 'b'\n"
