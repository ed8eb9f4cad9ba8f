"""Phones on USB, in trees of files like the kernel's."""

from harness.drivers.adb.usb_list import UsbPhone, usb_phones


def usb_tree(folder, name, **files):
    interface = folder / "sys" / f"{name}:1.1"
    interface.mkdir(parents=True)
    device = folder / "sys" / name
    device.mkdir()
    defaults = {"busnum": "1", "devnum": "7", "serial": "0A1B", "product": "Pixel 4"}
    for key, value in {**defaults, **files}.items():
        (device / key).write_text(value + "\n")
    for key, value in zip(("Class", "SubClass", "Protocol"), ("ff", "42", "01"), strict=True):
        (interface / f"bInterface{key}").write_text(value + "\n")


def test_phones_on_usb_are_found_in_the_kernel_s_tables_with_their_permission(tmp_path):
    usb_tree(tmp_path, "1-2")
    (tmp_path / "sys" / "usb1").mkdir()
    assert usb_phones(tmp_path / "sys", tmp_path / "dev") == [
        UsbPhone("0A1B", "Pixel 4", "usb:1-2", permitted=False)
    ]
    (tmp_path / "dev" / "001").mkdir(parents=True)
    (tmp_path / "dev" / "001" / "007").touch()
    assert usb_phones(tmp_path / "sys", tmp_path / "dev")[0].permitted
