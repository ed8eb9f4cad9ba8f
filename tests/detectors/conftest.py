"""The operator that host NMS is held against."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.support import postprocess_operator


@pytest.fixture(scope="session")
def run_operator() -> Callable[..., list[np.ndarray]]:
    """Runs the operator on heads; returns boxes y, x, y, x [K, 4], classes [K], scores [K] as counted by it."""
    if postprocess_operator.s is None:
        pytest.skip("ai-edge-litert, which holds the operator, is not installed")
    return postprocess_operator.run_operator
