"""Edge TPUs that are plugged in, as trees of files like the kernel's; the ids are those of Coral's documents."""

import os

import pytest

from harness.drivers.coral.attached import attached_tpus, find_library, list_tpus, pycoral_kind
from harness.drivers.coral.discovery import list_coral
from tests.support.coral_computer import AFTER, BEFORE


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
    assert list_tpus() == [] and list_coral(workspace) == []


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
    found = attached_tpus()
    assert [(tpu.port, tpu.where, tpu.state) for tpu in found] == [
        ("usb:0", "usb:2-2", "no permissions"),
        ("usb:1", "usb:2-1", "ready"),
    ]
    computer.write("site/pycoral/utils/edgetpu.py", "raise ImportError('no library')\n")
    assert [tpu.where for tpu in attached_tpus()] == ["usb:2-1", "usb:2-2"]
