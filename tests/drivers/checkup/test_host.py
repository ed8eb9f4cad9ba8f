"""What a run needs on this computer."""

from harness.drivers.checkup.host import check_edge_tpu


def test_doctor_names_what_is_plugged_in_its_clock_and_a_package_that_is_not_googles(computer, monkeypatch):
    assert (check_edge_tpu().state, check_edge_tpu().found) == ("ok", "none attached")
    computer.usb("2-1")
    check = check_edge_tpu()
    assert check.state == "warning" and "no library" in check.found and "libedgetpu1-std" in check.reason
    computer.library()
    check = check_edge_tpu()
    assert (check.state, check.found) == ("ok", "usb:0 ready (usb:2-1, without firmware yet), clock standard")
    computer.write("site/pycoral/__init__.py")
    monkeypatch.syspath_prepend(str(computer.root / "site"))
    assert "another package of that name" in check_edge_tpu().found
