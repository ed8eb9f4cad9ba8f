"""A short attack: what `tests/benchmarks/bench_attack.py` does ten thousand times, some dozen times."""

import pytest

from tests.benchmarks.bench_attack import KINDS, attack
from tests.support.faulty_disk import is_possible


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.short])
def test_nothing_gives_way(kind):
    if KINDS[kind].on_faulty_disk and not is_possible():
        pytest.skip("nothing here compiles C for a disk that fails")
    assert sum(attack(KINDS[kind].short, 1, [kind]).values()) == KINDS[kind].short
