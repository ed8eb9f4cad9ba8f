"""The scheduler, the client or the network is lost on the way: nothing is lost with it, and nothing counts twice."""

import signal
import subprocess
import sys
import time

from harness.records.records import load_records
from harness.session import carry_out, prepare, prepare_resume
from tests.support.adbd import open_network
from tests.support.farm import LONG, RealFarm, ended, in_background
from tests.support.paths import REPOSITORY


def test_a_scheduler_that_is_killed_and_comes_back_ends_no_run(two_hosts, quiet, tmp_path):
    request = two_hosts.request(tmp_path, "fake-1@a", "fake-1@b", settings=LONG, repetitions=2, wait_s=60.0)
    thread, outcomes = in_background(prepare(request), quiet)
    two_hosts.wait_for_work("a", "b")
    two_hosts.kill("scheduler")
    time.sleep(1.0)
    two_hosts.start_scheduler()
    outcome = ended(thread, outcomes)
    assert [(r.status, len(r.processes)) for r in outcome.records] == [("ok", 2)] * 2
    assert len(quiet.finished) == 4


CLIENT = """
import sys
from harness.bench.request import FarmChoice, Request
from harness.session import carry_out, prepare
from harness.settings import Settings
sys.path.insert(0, sys.argv[1])
from tests.support.observers import Quiet
settings = Settings(repetitions=1, min_runs=2, min_seconds=2.0, accuracy=False)
farm = FarmChoice(scheduler=sys.argv[2], wait_s=20.0)
request = Request(models=("shapes-float32", "shapes-float16"), devices=("fake-1@a", "fake-1@b"), delegates=("cpu:1",),
                  workspace=sys.argv[3], output=sys.argv[4], settings=settings, repetitions=1, farm=farm)
prepared = prepare(request)
print("measuring", flush=True)
carry_out(prepared, Quiet())
"""


def test_a_client_that_is_killed_takes_up_what_was_finished_meanwhile(two_hosts, quiet, tmp_path, repository):
    argv = [sys.executable, "-c", CLIENT, str(REPOSITORY), two_hosts.address, str(repository)]
    client = subprocess.Popen([*argv, str(tmp_path / "runs")], stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "measuring\n"
    two_hosts.wait_for_work("a", "b")
    client.send_signal(signal.SIGKILL)
    client.wait()
    killed = time.time()
    client.stdout.close()
    (folder,) = (tmp_path / "runs").iterdir()
    assert not list((folder / "cells").glob("*/record.json"))
    wait_for(lambda: len(list(two_hosts.folder.glob("host-*/spool/*/*"))) == 2, timeout_s=120.0)
    outcome = carry_out(prepare_resume(folder), quiet)
    assert [(r.status, len(r.processes)) for r in outcome.records] == [("ok", 1)] * 4
    started = [
        time.mktime(time.strptime(r.processes[0].started_at, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        for r in outcome.records
    ]
    assert sum(moment < killed for moment in started) == 2, "what was finished was measured again"
    assert not list(two_hosts.folder.glob("host-*/spool/*")), (
        "the hosts still keep what is on the client's disk"
    )


def test_what_is_plugged_in_and_out_is_noticed(own_farm):
    own_farm.start_worker("a")
    link = own_farm.link(n_hosts=1)
    try:
        own_farm.offer("fake-9")
        wait_for(lambda: link.addresses_of("fake-9@a"))
        assert [offer.name for host in link.describe_hosts() for offer in host.description.offers] == [
            "fake-9@a",
            "local@a",
        ]
        own_farm.withdraw("fake-9")
        wait_for(lambda: not link.addresses_of("fake-9@a"))
        assert "new: fake-9@a" in own_farm.log("a") and "gone: fake-9@a" in own_farm.log("a")
    finally:
        link.close()


def wait_for(what, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_network_that_is_cut_for_20_seconds_ends_no_run(tmp_path, quiet):
    network = open_network()
    with network.entered():
        farm = RealFarm(tmp_path / "farm", fakes=("fake-1",))
        try:
            farm.start_scheduler()
            for name in ("a", "b"):
                farm.start_worker(name)
            farm.wait_for_hosts(2)
            request = farm.request(
                tmp_path / "runs", "fake-1@a", "fake-1@b", settings=LONG, repetitions=2, wait_s=60.0
            )
            thread, outcomes = in_background(prepare(request), quiet)
            farm.wait_for_work("a", "b")
            network.set_up(False)
            time.sleep(20.0)
            network.set_up(True)
            outcome = ended(thread, outcomes)
        finally:
            farm.close()
    network.close()
    assert [(r.status, len(r.processes)) for r in outcome.records] == [("ok", 2)] * 2
    assert len(quiet.finished) == 4
    assert all(s.samples() for s in load_records(outcome.folder))
