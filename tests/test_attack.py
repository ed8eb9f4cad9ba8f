"""A short attack: what `tests/benchmarks/bench_attack.py` does ten thousand times, some dozen times."""

import pytest

from tests.benchmarks.bench_attack import KINDS, attack


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_gives_way(kind):
    assert sum(attack(40, 1, [kind]).values()) == 40
