"""Makes the stand-in for benchmark_model something that a device can start."""

import json
import shlex
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY, STAND_IN


def make_launcher(folder: Path, name: str = "benchmark_model", **plays: object) -> Path:
    """Write a script that starts the stand-in with the Python of this process.

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
    command = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    words = "# use_xnnpack external_delegate_path Signature to run: words that stand in the real program's file, too\n"
    path.write_text(f'#!/bin/sh\n{words}{exports}{command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path
