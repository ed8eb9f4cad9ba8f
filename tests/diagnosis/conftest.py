"""The fault library, and where it writes what it breaks."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `faults` is code of the tests, apart from what it tests


@pytest.fixture(scope="session")
def workshop(tmp_path_factory, repository):
    """Healthy models, and what is broken of them; each is made once."""
    pytest.importorskip("litert_quantizer", reason="litert-quantizer (extra `quantize`) is not installed")
    from faults.workshop import Workshop

    return Workshop(tmp_path_factory.mktemp("faults"), repository)
