"""The drivers' conformance suite, each call a Dask task on the host that the device is attached to.

A fake, a real adbd and a real sshd, spread over two hosts in a network of their own.
"""

import inspect
import time

import pytest

from harness.drivers.base import DeviceInfo
from tests.drivers import test_conformance as suite
from tests.support.adbd import Adbd, open_network, require_adbd
from tests.support.farm import RealFarm

# A conversation cannot travel: a farm's devices are measured without one.
globals().update(
    {
        name: value
        for name, value in vars(suite).items()
        if name.startswith("test_") and "stream_device" not in inspect.signature(value).parameters
    }
)


def call(device, method, arguments, keywords, topic):
    """Call a device of the host that this runs on; a Dask task."""
    from distributed import get_worker

    from harness.farm.tasks import host_here

    host, worker = host_here(), get_worker()
    if topic is not None:
        keywords = {**keywords, "on_line": lambda line: worker.log_event(topic, line)}
    # private: no step of a farm asks a device for what the suite asks it
    with host._lock(device):
        station = host._station(host._attached[device])
        result = getattr(station.device, method)(*arguments, **keywords)
        if method == "close":
            host._close(device)
        return result


call.__module__ = "__main__"  # so that it travels by its value: the hosts have no tests


class ThroughWorker:
    """A device of a farm, as the drivers' protocol has it."""

    def __init__(self, client, name):
        self.client, self.on_farm, self.name = client, name, name.partition("@")[0]
        self.calls = 0

    def _call(self, method, *arguments, topic=None, **keywords):
        task = self.client.submit(
            call, self.on_farm, method, arguments, keywords, topic, resources={self.on_farm: 1}, pure=False
        )
        return task.result()

    def describe(self) -> DeviceInfo:
        return self._call("describe")

    def push(self, files, room=0):
        return self._call("push", list(files))

    def pull(self, remote, local):
        return self._call("pull", remote, local)

    def close(self):
        self._call("close")

    def run(self, argv, *, timeout_s, on_line=None, env=None):
        if on_line is None:
            return self._call("run", argv, timeout_s=timeout_s, env=env)
        self.calls += 1
        topic = f"lines-{self.name}-{self.calls}"
        told = []
        self.client.subscribe_topic(topic, lambda event: (told.append(event), on_line(event[1])))
        done = self._call("run", argv, timeout_s=timeout_s, env=env, topic=topic)
        expected = done.stdout.count("\n") + (not done.stdout.endswith("\n"))
        deadline = time.monotonic() + 60
        while len(told) < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        self.client.unsubscribe_topic(topic)
        return done


@pytest.fixture(scope="module")
def spread(tmp_path_factory, sshd_module):
    """A farm in a network of its own: a has a phone, b has a board, both have a fake."""
    require_adbd()
    why_not = sshd_module.why_not()
    if why_not is not None:
        pytest.skip(why_not)
    from distributed import Client

    folder, network = tmp_path_factory.mktemp("spread"), open_network()
    with network.entered(), pytest.MonkeyPatch.context() as patch:
        phone_folder = folder / "phone"
        phone_folder.mkdir()
        phone, board = Adbd(15655, phone_folder), sshd_module.Sshd(folder / "board")
        board.offer_python()
        patch.setenv("HARNESS_SSH_CONFIG", str(board.config))
        farm = RealFarm(folder / "farm", fakes=("fake-1",))
        connections = {
            "phone": f'kind = "adb"\nhost = "127.0.0.1"\nport = {phone.port}\nroot = "{phone.root}"\n',
            "board": 'kind = "ssh"\nhost = "board"\n',
        }
        for name, connection in connections.items():
            text = f'name = "{name}"\ndelegates = ["cpu:1"]\n[connection]\n{connection}'
            (farm.workspace / "devices" / f"{name}.toml").write_text(text)
        farm.start_scheduler()
        farm.start_worker("a", "--device", "phone")
        farm.start_worker("b", "--device", "board")
        link = farm.link(n_hosts=2)
        offered = {
            offer.name: host.description.host
            for host in link.describe_hosts()
            for offer in host.description.offers
        }
        link.close()
        farm.client = Client(f"tcp://{farm.address}", set_as_default=False)
    assert (offered["phone"], offered["board"]) == ("a", "b"), offered
    farm.network = network
    yield farm
    farm.client.close()
    farm.close()
    phone.kill()
    board.kill()
    network.close()


@pytest.fixture(params=["fake-1@a", "phone", "board"])
def device(request, spread):
    """The devices of the farm, as the suite's fixture is called."""
    return ThroughWorker(spread.client, request.param)


def test_a_board_is_measured_through_its_host_and_a_fake_through_another_at_once(spread, tmp_path, quiet):
    from harness.session import carry_out, prepare

    with spread.network.entered():
        prepared = prepare(
            spread.request(tmp_path, "board", "fake-1@a", settings={"accuracy": True, "limit": 40})
        )
        outcome = carry_out(prepared, quiet)
    records = {record.device.name: record for record in outcome.records}
    assert {name: record.status for name, record in records.items()} == {"board": "ok", "fake-1@a": "ok"}
    assert records["board"].device.kind == "ssh" and records["board"].device.facts["host"] == "b"
    one, other = (record.accuracy.figures for record in records.values())
    assert one == other
