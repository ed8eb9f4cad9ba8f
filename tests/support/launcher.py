"""Makes the stand-in for benchmark_model something that a device can start."""

import json
import shlex
import sys
from pathlib import Path

from tests.support import prepared_stand_in
from tests.support.paths import REPOSITORY, STAND_IN

CLIENT = Path(__file__).with_name("stand_in_client.py")


def make_launcher(folder: Path, name: str = "benchmark_model", **plays: object) -> Path:
    """Write a script that starts the stand-in with the Python of this process, prepared where that can be.

    Args:
        folder: Where to write it.
        name: Its name.
        plays: The misbehaviours that it plays (see `benchmark_model.py`).
    """
    path, program = folder / name, STAND_IN / f"{name}.py"
    settings = {
        "STAND_IN": json.dumps(plays),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONSAFEPATH": "1",
        "PYTHONWARNINGS": "default",
    }
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in settings.items())
    command = "exec " + shlex.join([sys.executable, *_prepared(), str(program)])
    words = "# use_xnnpack external_delegate_path Signature to run: words that stand in the real program's file, too\n"
    path.write_text(f'#!/bin/sh\n{words}{exports}{command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def _prepared() -> list[str]:
    """Return what lets a process that has loaded everything already be the program."""
    address = prepared_stand_in.address()
    return [] if address is None else ["-I", "-S", str(CLIENT), address]
