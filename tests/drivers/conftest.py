"""Every kind of device that can run here: this computer, a fake, a real adbd, a real sshd."""

import shutil
import subprocess
from contextlib import ExitStack

import pytest

from harness.drivers.adb import attached
from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.device import AdbDevice
from harness.drivers.coral import attached as coral_list
from harness.drivers.fake import FakeDevice
from harness.drivers.local import LocalDevice
from harness.workspace import Workspace
from tests.support.adbd import Adbd, open_network, require_adbd
from tests.support.coral_computer import Computer


@pytest.fixture
def workspace(tmp_path, repository):
    """A workspace with the bundled profiles, which a test may add to."""
    for name in ("devices", "models"):
        (tmp_path / "w" / name).mkdir(parents=True)
    for path in (repository / "devices").glob("*.toml"):
        shutil.copy(path, tmp_path / "w" / "devices")
    return Workspace(tmp_path / "w")


@pytest.fixture
def nothing_attached(monkeypatch):
    """No phone is attached."""
    monkeypatch.setattr(attached, "server_phones", list)
    monkeypatch.setattr(attached, "usb_phones", list)


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer without an Edge TPU, until it is given one."""
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(coral_list, "ROOT", tmp_path / "computer")
    return Computer(tmp_path / "computer")


@pytest.fixture(scope="session")
def own_network():
    network = open_network()
    yield network
    network.close()


@pytest.fixture
def network(own_network):
    with own_network.entered():
        yield own_network


@pytest.fixture
def start_adbd(network, tmp_path):
    """Start any number of daemons; they end with the test."""
    require_adbd()
    with ExitStack() as stack:

        def start(port=15555):
            folder = tmp_path / f"phone-{port}"
            folder.mkdir()
            daemon = Adbd(port, folder)
            stack.callback(daemon.kill)
            return daemon

        yield start


@pytest.fixture
def adbd(start_adbd):
    return start_adbd()


@pytest.fixture
def adb_device(adbd):
    device = adbd.device()
    yield device
    device.close()


@pytest.fixture
def adb_server(network, tmp_path, monkeypatch):
    """Debian's adb server, in the same network, with a home of its own."""
    if shutil.which("adb") is None:
        pytest.skip("adb is not installed (.ci/adb installs it)")
    monkeypatch.setenv("HOME", str(tmp_path))

    def adb(*arguments, check=True):
        return subprocess.run(["adb", *arguments], check=check, capture_output=True, text=True, timeout=60)

    adb("start-server")
    yield adb
    adb("kill-server", check=False)


@pytest.fixture
def adb_server_device(adbd, adb_server):
    """A phone that an adb server holds."""
    serial = f"127.0.0.1:{adbd.port}"
    adb_server("connect", serial)
    adb_server("-s", serial, "wait-for-device")
    return AdbDevice("held", serial=serial, root=adbd.root)


@pytest.fixture
def old_adb_device(adbd):
    """A phone before Android 7: no exit codes, no separate stderr."""

    def open_link():
        link = connect(Address(host="127.0.0.1", port=adbd.port))
        link.features = frozenset()
        return link

    device = adbd.device("old", open_link=open_link)
    yield device
    device.close()


@pytest.fixture
def local_device():
    return LocalDevice()


@pytest.fixture
def fake_device():
    device = FakeDevice()
    yield device
    device.close()


@pytest.fixture
def ssh_device(sshd):
    device = sshd.device()
    yield device
    device.close()


@pytest.fixture(scope="session")
def lasting_ssh(lasting_sshd):
    device = lasting_sshd.device()
    yield device
    device.close()


@pytest.fixture
def lasting_ssh_device(lasting_ssh, lasting_sshd, monkeypatch):
    """A board whose connection lasts from test to test, as it does from cell to cell."""
    monkeypatch.setenv("HARNESS_SSH_CONFIG", str(lasting_sshd.config))
    return lasting_ssh


@pytest.fixture(params=["local", "fake", "adb", "old_adb", "adb_server", "lasting_ssh"])
def device(request):
    """Every kind of device, for the conformance suite; a new kind adds `KIND_device` and its name."""
    return request.getfixturevalue(f"{request.param}_device")


@pytest.fixture(params=["local", "fake", "adb", "adb_server", "lasting_ssh"])
def stream_device(request):
    """Every kind of device whose commands can be written to while they are heard."""
    return request.getfixturevalue(f"{request.param}_device")
