"""A computer with Edge TPUs, as a tree of files like the kernel's; the ids are those of Coral's documents."""

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
