"""The firmware of the Raspberry Pi; meanings from its documentation of `vcgencmd get_throttled`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import firmware
from harness.firmware import describe_flags, parse_flags


@pytest.mark.parametrize(
    ("text", "flags"),
    [("throttled=0x50005\n", 0x50005), ("throttled=0x0\n", 0), ("50005\n", 0x50005), ("", None), ("error=1", None),
     ("VCHI initialization failed", None), ("throttled=0x1ffffffff", None)],
)  # fmt: skip
def test_flags_are_read_as_the_tool_and_the_file_give_them(text, flags):
    assert parse_flags(text) == flags


@given(st.text())
def test_flags_of_anything_are_a_number_or_unknown(text):
    flags = parse_flags(text)
    assert flags is None or 0 <= flags <= 0xFFFFFFFF


def test_flags_say_what_is_now_and_what_was():
    assert describe_flags(0) == ()
    assert describe_flags(0x50005) == ("its voltage was too low", "it was throttled")
    assert describe_flags(0x80002) == (
        "its clock was capped",
        "its soft temperature limit was reached at some time since it was started",
    )


def test_a_machine_without_such_a_firmware_has_no_flags(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(firmware, "FLAGS_FILE", tmp_path / "get_throttled")
    assert firmware.read_flags() is None
    (tmp_path / "get_throttled").write_text("50000\n")
    assert firmware.read_flags() == 0x50000
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x4\n")
    tool.chmod(0o755)
    assert firmware.read_flags() == 4
