"""Hosts that are lost on the way: nothing else is lost with them, and nothing counts twice."""

import time

import pytest

from harness.errors import IncomparableError
from harness.records.records import is_finished
from harness.session import carry_out, prepare, prepare_resume
from tests.support.changed_runs import replace_text
from tests.support.farm import LONG, ended, in_background


def test_a_host_that_is_killed_and_comes_back_finishes_its_cells_and_none_counts_twice(
    two_hosts, quiet, tmp_path
):
    request = two_hosts.request(tmp_path, "fake-1@a", "fake-1@b", settings=LONG, repetitions=2, wait_s=120.0)
    thread, outcomes = in_background(prepare(request), quiet)
    two_hosts.wait_for_work("a", "b")
    two_hosts.kill("a")
    two_hosts.start_worker("a")
    outcome = ended(thread, outcomes)
    assert [(r.device.name, r.status, len(r.processes)) for r in outcome.records] == [
        ("fake-1@a", "ok", 2),
        ("fake-1@b", "ok", 2),
    ]
    assert len(quiet.finished) == 4


def test_cells_of_a_host_that_stays_away_are_skipped_after_the_wait_and_resumed_when_it_is_back(
    two_hosts, quiet, tmp_path
):
    request = two_hosts.request(tmp_path, "fake-1@a", "fake-1@b", settings=LONG, wait_s=2.0)
    thread, outcomes = in_background(prepare(request), quiet)
    two_hosts.wait_for_work("a", "b")
    two_hosts.kill("a")
    outcome = ended(thread, outcomes)
    lost, other = outcome.records
    assert (lost.status, lost.complete, other.status) == ("skipped", False, "ok")
    assert "fake-1@a was not seen on the farm for" in lost.reasons[0] and "--resume" in lost.reasons[0]
    assert outcome.failed and not is_finished(outcome.folder)
    two_hosts.start_worker("a")
    two_hosts.wait_for_hosts(2)
    again = carry_out(prepare_resume(outcome.folder), quiet)
    assert [(r.status, r.complete, len(r.processes)) for r in again.records] == [("ok", True, 1)] * 2


def test_a_cell_for_any_device_goes_to_another_one_when_its_host_dies(two_hosts, quiet, tmp_path):
    models = ("shapes-float32", "shapes-float16")
    request = two_hosts.request(tmp_path, "any:fake-1", models=models, settings=LONG)
    thread, outcomes = in_background(prepare(request), quiet)
    two_hosts.wait_for_work("a", "b")
    two_hosts.kill("a")
    outcome = ended(thread, outcomes)
    assert [(r.device.name, r.status) for r in outcome.records] == [("fake-1@b", "ok")] * 2


def test_a_device_that_moves_to_another_host_in_the_middle_of_a_run_is_gone_on_with_there(
    own_farm, sshd, quiet, tmp_path
):
    sshd.offer_python()
    text = 'name = "board"\ndelegates = ["cpu:1"]\n[connection]\nkind = "ssh"\nhost = "board"\n'
    (own_farm.workspace / "devices" / "board.toml").write_text(text)
    own_farm.start_worker("a", "--device", "board")
    own_farm.start_worker("b")
    own_farm.wait_for_hosts(2)
    request = own_farm.request(tmp_path / "runs", "board", settings=LONG, repetitions=2, wait_s=120.0)
    thread, outcomes = in_background(prepare(request), quiet)
    time.sleep(2.0)  # whatever was reached by then
    own_farm.kill("a")
    own_farm.kill("b")
    own_farm.start_worker("b", "--device", "board")
    (record,) = ended(thread, outcomes).records
    assert (record.device.name, record.status, len(record.processes)) == ("board", "ok", 2)
    assert "with board" in own_farm.log("b")


def test_a_run_goes_on_with_a_device_only_as_it_was(two_hosts, quiet, tmp_path):
    outcome = carry_out(prepare(two_hosts.request(tmp_path, "fake-1@a")), quiet)
    path = next(outcome.folder.glob("cells/*/record.json"))
    replace_text(path, '"abi": "', '"abi": "other-')
    with pytest.raises(IncomparableError, match=r"fake-1@a: device.abi is 'other-.*' in one and "):
        prepare_resume(outcome.folder)
