"""What a board's script prints."""

PI = """@@uname
Linux 6.6.51+rpt-rpi-2712 aarch64
@@release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
@@memory
MemTotal:        8257728 kB
@@cpuinfo
@@tools
taskset
sha256sum
@@cpu
0 2400000 1500000 ondemand
1 2400000 1500000 ondemand
2 2400000 2400000 ondemand
3 2400000 2400000 ondemand
@@tree
Raspberry Pi 5 Model B Rev 1.0

@@compatible
raspberrypi,5-model-b
brcm,bcm2712

@@bits
64
@@celsius
61850
55000
0
@@firmware
throttled=0x50000
@@edgetpu
usb
@@room
5000000 4096
@@python
{"version": [3, 11, 2], "packages": {"ai-edge-litert": "2.3.0", "numpy": "2.1.0", "msgspec": "0.19", "pillow": "11"}}
@@end
"""
