"""A stand-in for Android's `dumpsys battery`: a battery that nothing charges."""

from pathlib import Path

UNTIL_READ = (
    "for i in $(seq 1000); do [ $(cat battery.txt 2>/dev/null | grep -c voltage) -ge 2 ] && exit; "
    "sleep 0.05; done; exit 9"
)
"""For a shell in a run's folder: it ends once the gauge was read twice, and fails where it never is."""
CHARGE_UAH = 2781000
DUMPSYS = f"""#!/bin/sh
[ "$1" = battery ] || exit 1
printf '  USB powered: false\\n  Charge counter: {CHARGE_UAH}\\n  status: 3\\n  voltage: 4187\\n'
"""


def battery_service(folder: Path) -> Path:
    """Put it into a new folder, for PATH."""
    folder.mkdir()
    dumpsys = folder / "dumpsys"
    dumpsys.write_text(DUMPSYS)
    dumpsys.chmod(0o755)
    return folder
