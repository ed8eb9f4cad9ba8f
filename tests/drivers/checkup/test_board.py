"""What a run on a board needs."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.drivers.checkup.board import check_board
from harness.drivers.checkup.check import Check
from harness.drivers.ssh import facts as board
from tests.support.boards import PI


def checks(text: str) -> dict[str, Check]:
    facts = board.parse(text)
    return {check.check: check for check in check_board(board.describe_board("pi", "pi", facts), facts)}


def test_a_healthy_board_passes_every_check():
    found = checks(PI.replace("ondemand", "performance").replace("0x50000", "0x0"))
    assert {check.state for check in found.values()} == {"ok"}
    assert found["python"].found == "3.11.2 with ai-edge-litert 2.3.0"


@pytest.mark.parametrize(
    ("change", "check", "state", "reason"),
    [
        (("", ""), "governor", "warning", "scaling_governor"),
        (("", ""), "firmware", "warning", "power supply"),
        (("0x50000", "0x50005"), "firmware", "warning", "lowers the clock now"),
        (("61850", "82000"), "temperature", "warning", "let it cool"),
        (("5000000 4096", "5 4096"), "space", "failed", "free at least 200 MB"),
        (("5000000 4096", ""), "space", "warning", "200 MB"),
        (('"pillow": "11"', '"x": "1"'), "python", "warning", "no accuracy"),
        (("ai-edge-litert", "tensorflow"), "python", "warning", "pip install ai-edge-litert"),
    ],
)
def test_what_is_wrong_with_a_board_is_said_with_what_to_do(change, check, state, reason):
    found = checks(PI.replace(*change))[check]
    assert found.state == state
    assert reason in found.reason


def test_the_doctor_looks_at_a_board(sshd, tmp_path):
    sshd.offer_python()
    done = CliRunner().invoke(cli, ["doctor", "--device", sshd.url, "--format", "json"])
    rows = {row["check"]: row for row in json.loads(done.stdout) if row["name"].startswith("127.0.0.1")}
    assert rows["push, run, pull"]["state"] == "ok"
    assert rows["python"]["state"] == "ok"
    assert rows["reachable"]["kind"] == "ssh"
