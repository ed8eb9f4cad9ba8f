"""The processes that fork workers, kept from run to run: to start one takes longer than what most tests measure.

To a run nothing changes: it asks for such a process, has it for itself, and when it is through no worker lives on.
"""

from contextlib import contextmanager

from harness.bench.engines import prepared

USUAL = prepared.PreparedWorkers
"""What tests of such a process itself take: it ends with the run."""
MOST = 2
"""For as many environments; of those that no run has now, the one that served the fewest is ended."""


class LastingWorkers(USUAL):
    """Goes on when the run is through that has started it; its workers do not."""

    def __init__(self, environment):
        super().__init__(environment)
        self._started, self.n_runs = [], 0

    def start(self, job, kind, environment):
        forked = super().start(job, kind, environment)
        self._started.append(forked)
        return forked

    def close(self):
        for forked in self._started:
            forked.kill_group()
        self._started.clear()

    def end_for_good(self):
        super().close()


@contextmanager
def lasting():
    """Keep them until the end of the block."""
    kept = []

    def find(environment):
        found = next((one for one in kept if one.serves(environment)), None)
        if found is None:
            if len(kept) == MOST:
                rarest = min(kept, key=lambda one: one.n_runs)
                kept.remove(rarest)
                rarest.end_for_good()
            found = LastingWorkers(environment)
            kept.append(found)
        found.n_runs += 1
        return found

    prepared.PreparedWorkers = find
    try:
        yield
    finally:
        prepared.PreparedWorkers = USUAL
        for one in kept:
            one.end_for_good()
