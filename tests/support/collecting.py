"""Reading the tests in several processes: each reads all of them, and what takes long is done by one of them.

The first process that reads a file rewrites its asserts, which takes longer than all else, and keeps the result beside
it. Processes that read the files in the same order would all rewrite every file, so each begins with other folders.
"""

import pytest


class DividedFolder(pytest.Dir):
    """A folder of which each process reads its own share first, and then those of the others."""

    def collect(self):
        nodes, count = list(super().collect()), self.config.workerinput["workercount"]
        return [node for k in range(count) for node in nodes[(number_of(self.config) + k) % count :: count]]


def number_of(config: pytest.Config) -> int:
    """Return which of the processes this is, from 0 on; the first calls itself `gw0`."""
    return int(config.workerinput["workerid"].removeprefix("gw"))


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether this process shares the tests with others."""
    return hasattr(config, "workerinput")


def draw_the_same_examples_in_every_order() -> None:
    """Keep Hypothesis from drawing numbers that stand in whatever modules of ours are loaded at the moment.

    Else the examples of a test change with the tests that ran before it and with each line of the package, and each
    process parses the whole package first.
    """
    # private: Hypothesis has no setting for it, and a version that does it otherwise is left alone
    from hypothesis.internal.conjecture import providers

    if hasattr(providers, "_local_constants"):
        providers._get_local_constants = lambda: providers._local_constants
