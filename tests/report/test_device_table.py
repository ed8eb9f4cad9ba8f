"""The table of devices in a terminal."""

import pytest

from harness.report.consoles import make_console
from harness.report.device_table import device_table

LOCAL = {
    "name": "local",
    "kind": "local",
    "address": "",
    "state": "ready",
    "model": "workstation",
    "soc": "AMD EPYC 7B13",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "abi": "x86_64",
    "delegates": ["cpu", "cpu-reference"],
    "reason": "",
}
PHONE = {
    "name": "R58M123ABCD",
    "kind": "adb",
    "address": "R58M123ABCD",
    "state": "unauthorized",
    "model": None,
    "soc": None,
    "os": None,
    "abi": None,
    "delegates": [],
    "reason": "the phone has not accepted this computer's key: unlock it and tap Allow, then try again",
}


def printed(rows, width):
    console = make_console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(device_table(rows))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_word_is_broken_and_every_reason_is_a_sentence_below(width):
    text = printed([LOCAL, PHONE], width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for word in ("unauthorized", "R58M123ABCD", "cpu-reference", "x86_64", "(bookworm)", "R58M123ABCD:"):
        assert word in words, word
    assert PHONE["reason"] in " ".join(words)


def test_columns_that_nobody_fills_are_left_out():
    assert "kinds" not in printed([LOCAL], 100)
    assert "host" in printed([{**LOCAL, "host": "rack1"}], 100)


def test_text_of_a_device_cannot_steer_the_terminal_or_become_markup():
    text = printed([{**PHONE, "model": "\x1b[31mred[bold]", "reason": "\x1b]0;title\x07 gone"}], 100)
    assert "\x1b" not in text and "\x07" not in text
    assert "[bold]" in text


def test_no_devices_are_said_in_words():
    assert printed([], 80).strip() == "no devices"
