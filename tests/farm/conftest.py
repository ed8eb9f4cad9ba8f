"""Farms to share and farms to break."""

import importlib.util

import pytest

from tests.support.farm import RealFarm
from tests.support.observers import Quiet


@pytest.fixture(autouse=True, scope="session")
def needs_dask():
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("the extra cluster is not installed")


@pytest.fixture
def quiet():
    return Quiet()


@pytest.fixture(scope="session")
def farm(tmp_path_factory):
    """A scheduler and two hosts, a and b, each with a local device and two fakes; shared, so nothing is killed."""
    farm = RealFarm(tmp_path_factory.mktemp("farm"))
    farm.start_scheduler()
    for name in ("a", "b"):
        farm.start_worker(name)
    farm.wait_for_hosts(2)
    yield farm
    farm.close()


@pytest.fixture
def own_farm(tmp_path):
    """A farm of one's own, to be broken; only its scheduler is started."""
    farm = RealFarm(tmp_path / "farm", fakes=())
    farm.start_scheduler()
    yield farm
    farm.close()


@pytest.fixture
def two_hosts(own_farm):
    """A farm of one's own with two hosts, a and b, which offer the same fake device."""
    own_farm.offer("fake-1")
    for name in ("a", "b"):
        own_farm.start_worker(name)
    own_farm.wait_for_hosts(2)
    return own_farm
