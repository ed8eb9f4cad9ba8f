"""Edge TPUs that are plugged in, as trees of files like the kernel's; the ids are those of Coral's documents."""

import os

import pytest

from harness.delegates import parse_delegate
from harness.drivers.coral import attached as coral_list
from harness.drivers.coral import device as coral
from harness.drivers.coral.attached import find_library, list_tpus, pycoral_kind
from harness.errors import DeviceError, UsageError
from harness.workspace import find_workspace

BEFORE, AFTER = ("1a6e", "089a"), ("18d1", "9302")


class Computer:
    """A tree of files that looks like a computer's."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text=""):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def usb(self, place, ids=BEFORE, number=5, node=True):
        for name, text in zip(("idVendor", "idProduct"), ids, strict=True):
            self.write(f"sys/bus/usb/devices/{place}/{name}", f"{text}\n")
        self.write(f"sys/bus/usb/devices/{place}/busnum", "2\n")
        self.write(f"sys/bus/usb/devices/{place}/devnum", f"{number}\n")
        if node:
            self.write(f"dev/bus/usb/002/{number:03d}")

    def pci(self, place, node=None):
        self.write(f"sys/bus/pci/devices/{place}/vendor", "0x1ac1\n")
        self.write(f"sys/bus/pci/devices/{place}/device", "0x089a\n")
        if node:
            self.write(f"dev/{node}")

    def library(self, package="libedgetpu1-std"):
        path = "usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0"
        real = self.write(path, "a library")
        (real.parent / "libedgetpu.so.1").symlink_to(real.name)
        if package:
            self.write(f"var/lib/dpkg/info/{package}:amd64.list", f"/.\n/usr/lib\n/{path}\n")


@pytest.fixture
def computer(tmp_path, monkeypatch):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(coral_list, "ROOT", tmp_path)
    return Computer(tmp_path)


@pytest.fixture
def workspace(repository):
    return find_workspace(repository)


def test_a_stick_is_found_before_and_after_it_has_its_firmware(computer):
    computer.usb("2-1", BEFORE, 5)
    computer.usb("2-2", AFTER, 6)
    computer.usb("1-1", ("046d", "c52b"), 7)
    found = list_tpus()
    assert [(tpu.port, tpu.where, tpu.initialized) for tpu in found] == [
        ("usb:0", "usb:2-1", False),
        ("usb:1", "usb:2-2", True),
    ]
    assert {tpu.state for tpu in found} == {"ready"}


def test_a_stick_that_may_not_be_opened_is_told_with_the_udev_rule(computer):
    computer.usb("2-1", node=False)
    (tpu,) = list_tpus()
    assert tpu.state == "no permissions"
    assert 'ATTRS{idVendor}=="1a6e", GROUP="plugdev"' in tpu.reason and "usermod" in tpu.reason


def test_a_card_that_may_not_be_opened_is_told_with_the_group(computer, monkeypatch):
    computer.pci("0000:01:00.0", "apex_0")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything, whatever its mode
    assert "usermod -aG apex" in list_tpus()[0].reason


def test_a_card_needs_its_driver(computer):
    computer.pci("0000:01:00.0", "apex_0")
    computer.pci("0000:02:00.0")
    first, second = list_tpus()
    assert (first.port, first.state, first.initialized) == ("pci:0", "ready", None)
    assert second.state == "no driver" and "gasket-dkms" in second.reason


def test_a_computer_without_any_has_none(computer, workspace):
    assert list_tpus() == [] and coral.list_coral(workspace) == []


@pytest.mark.parametrize(
    ("package", "clock"), [("libedgetpu1-std", "standard"), ("libedgetpu1-max", "max"), (None, None)]
)
def test_the_clock_is_that_of_the_package_the_library_came_with(computer, package, clock):
    computer.library(package)
    found = find_library()
    assert found.path.name == "libedgetpu.so.1" and found.clock == clock


@pytest.mark.parametrize(("folder", "clock"), [("throttled", "standard"), ("direct", "max"), ("k8", None)])
def test_the_clock_of_a_build_is_in_its_folder(computer, monkeypatch, folder, clock):
    file = computer.write(f"libedgetpu/{folder}/k8/libedgetpu.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(file.parent))
    assert find_library().clock == clock


def test_without_the_library_a_stick_is_listed_with_what_to_install(computer, workspace):
    computer.usb("2-1")
    (info,) = coral.list_coral(workspace)
    assert (info.name, info.kind, info.state, info.address) == (
        "coral-usb:0",
        "coral",
        "no library",
        "usb:2-1",
    )
    assert "libedgetpu1-std" in info.reason and info.delegates == ()


def test_each_stick_and_card_is_a_device_of_its_own(computer, workspace):
    computer.library("libedgetpu1-max")
    computer.usb("2-1", number=5)
    computer.usb("2-2", number=6)
    computer.pci("0000:01:00.0", "apex_0")
    found = coral.list_coral(workspace)
    assert [info.name for info in found] == ["coral-usb:0", "coral-usb:1", "coral-pcie:0"]
    assert [info.delegates for info in found] == [("edgetpu:usb:0",), ("edgetpu:usb:1",), ("edgetpu:pci:0",)]
    described = coral.CoralDevice("coral-usb:1", "usb:1").describe()
    assert described.state == "ready" and described.facts["edgetpu_clock"] == "max"


def test_a_device_that_was_pulled_out_says_so(computer):
    with pytest.raises(DeviceError, match="no Edge TPU is attached"):
        coral.CoralDevice("coral-usb:0", "usb:0").describe()


def test_a_kind_means_the_only_one_that_is_plugged_in(computer, workspace):
    from harness.profiles import list_profiles

    profiles = list_profiles(workspace)
    with pytest.raises(UsageError, match="no Edge TPU is attached"):
        coral.resolve("coral-usb", profiles)
    computer.usb("2-1", number=5)
    assert [p.name for p in coral.resolve("coral-usb", profiles)] == ["coral-usb:0"]
    computer.usb("2-2", number=6)
    with pytest.raises(UsageError, match="coral-usb:0, coral-usb:1"):
        coral.resolve("coral-usb", profiles)
    assert [p.data.connection.serial for p in coral.resolve("coral-usb:1", profiles)] == ["usb:1"]
    assert [p.name for p in coral.resolve("all-coral", profiles)] == ["coral-usb:0", "coral-usb:1"]
    assert coral.resolve("local", profiles) is None and coral.resolve("pixel-4", profiles) is None


def test_edgetpu_is_refused_in_advance_with_the_reason(computer):
    assert "is not installed" in coral.why_not(parse_delegate("edgetpu"))
    computer.library()
    assert "no Edge TPU is attached" in coral.why_not(parse_delegate("edgetpu"))
    computer.usb("2-1")
    assert coral.why_not(parse_delegate("edgetpu")) is None
    assert coral.why_not(parse_delegate("edgetpu:usb:0")) is None
    assert coral.why_not(parse_delegate("edgetpu:usb:1")) == "there is no Edge TPU usb:1, only usb:0"
    assert "only usb:0" in coral.why_not(parse_delegate("edgetpu:pci:0"))


def test_a_model_and_a_delegate_that_do_not_go_together_are_told_apart():
    edgetpu, cpu = parse_delegate("edgetpu"), parse_delegate("cpu:2")
    assert "`harness edgetpu compile m.tflite`" in coral.why_not_model("m.tflite", False, edgetpu)
    assert "use the file it was made from" in coral.why_not_model("m_edgetpu.tflite", True, cpu)
    assert coral.why_not_model("m_edgetpu.tflite", True, edgetpu) is None
    assert coral.why_not_model("m.tflite", False, cpu) is None
    assert coral.why_not_model("m.tflite", False, parse_delegate("external:x.so")) is None


def test_googles_pycoral_is_told_from_its_namesake(tmp_path):
    assert pycoral_kind([str(tmp_path)]) is None
    (tmp_path / "pycoral").mkdir()
    (tmp_path / "pycoral" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    assert pycoral_kind([str(tmp_path)]) == "namesake"
    (tmp_path / "pycoral" / "utils").mkdir()
    (tmp_path / "pycoral" / "utils" / "edgetpu.py").write_text("raise RuntimeError('imported')\n")
    assert pycoral_kind([str(tmp_path)]) == "google"


def test_the_list_of_googles_pycoral_is_used_where_it_is_installed(computer, monkeypatch):
    """A module with pycoral's interface: `list_edge_tpus()` gives type and path of each, in libedgetpu's order."""
    computer.usb("2-1", number=5)
    computer.usb("2-2", number=6, node=False)
    text = (
        "def list_edge_tpus():\n"
        "    return [{'type': 'usb', 'path': '/sys/bus/usb/devices/2-2'},\n"
        "            {'type': 'usb', 'path': '/sys/bus/usb/devices/2-1'}]\n"
    )
    computer.write("site/pycoral/__init__.py")
    computer.write("site/pycoral/utils/__init__.py")
    computer.write("site/pycoral/utils/edgetpu.py", text)
    monkeypatch.syspath_prepend(str(computer.root / "site"))
    monkeypatch.setenv("PYTHONPATH", str(computer.root / "site"))
    found = coral_list.attached()
    assert [(tpu.port, tpu.where, tpu.state) for tpu in found] == [
        ("usb:0", "usb:2-2", "no permissions"),
        ("usb:1", "usb:2-1", "ready"),
    ]
    computer.write("site/pycoral/utils/edgetpu.py", "raise ImportError('no library')\n")
    assert [tpu.where for tpu in coral_list.attached()] == ["usb:2-1", "usb:2-2"]


def test_doctor_looks_at_one_stick(computer, workspace):
    from harness.drivers.checkup.checkup import check_device

    computer.library()
    computer.usb("2-1")
    checks = list(check_device("coral-usb", workspace))
    assert [(check.device, check.check, check.state) for check in checks] == [
        ("coral-usb:0", "reachable", "ok"),
        ("coral-usb:0", "push, run, pull", "ok"),
    ]
    assert "Edge TPU" in checks[0].found


def test_doctor_names_what_is_plugged_in_its_clock_and_a_package_that_is_not_googles(computer, monkeypatch):
    from harness.drivers.checkup.checkup import edge_tpu

    assert (edge_tpu().state, edge_tpu().found) == ("ok", "none attached")
    computer.usb("2-1")
    check = edge_tpu()
    assert check.state == "warning" and "no library" in check.found and "libedgetpu1-std" in check.reason
    computer.library()
    check = edge_tpu()
    assert (check.state, check.found) == ("ok", "usb:0 ready (usb:2-1, without firmware yet), clock standard")
    computer.write("site/pycoral/__init__.py")
    monkeypatch.syspath_prepend(str(computer.root / "site"))
    assert "another package of that name" in edge_tpu().found
