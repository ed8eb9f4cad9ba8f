"""The fault library, and where it writes what it breaks."""

import pytest


@pytest.fixture(scope="session")
def workshop(tmp_path_factory, repository):
    """Healthy models, and what is broken of them; each is made once."""
    pytest.importorskip("litert_quantizer", reason="litert-quantizer (extra `quantize`) is not installed")
    from tests.support.faults.workshop import Workshop

    return Workshop(tmp_path_factory.mktemp("faults"), repository)


@pytest.fixture(scope="session")
def scenes():
    """What the cases of the fault library have in common."""
    from tests.support.examining import Scenes

    return Scenes()
