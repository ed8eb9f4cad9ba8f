"""The real adbd and the networks of the drivers' tests, for farms."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

_PATH = Path(__file__).resolve().parents[1] / "drivers" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("drivers_conftest", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

Adbd, Network = _MODULE.Adbd, _MODULE.Network


def require_network():
    """Skip where no network of one's own can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network of its own needs root on Linux")
    try:
        Network().close()
    except OSError as error:
        pytest.skip(f"a network namespace is refused here: {error}")
