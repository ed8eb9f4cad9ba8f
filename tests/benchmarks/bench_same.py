"""False alarms on real processes: one cell measured again and again, compared with itself.

    python -m tests.benchmarks.bench_same [--pairs 20] [--processes 5]

Measures 2 × pairs × processes workers of the same cell, deals them into pairs of groups and counts how often
`harness.statistics.comparing.compare` calls the groups of a pair different: dealt in turn, as cells of one run are
(wanted <= 5 %), and one after the other, as two runs are, which nothing bounds where something lasts longer than a run.
"""

import argparse
import tempfile

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.records.records import load_records
from harness.rows.summary import steady_durations
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.statistics.comparing import compare
from tests.support.paths import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--processes", type=int, default=5)
    options = parser.parse_args()
    total = 2 * options.pairs * options.processes
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            models=("shapes-full-integer",),
            delegates=("cpu:1",),
            workspace=str(REPOSITORY),
            output=folder,
            settings=Settings(accuracy=False, min_runs=total * 20, min_seconds=0.1 * total),
            repetitions=total,
        )
        outcome = carry_out(prepare(request), Silent())
        (stored,) = load_records(outcome.folder)
        processes = steady_durations(stored)
    print(f"{len(processes)} of {total} processes settled")
    n_groups, size = len(processes) // options.processes, options.processes
    in_turn = [processes[k::n_groups] for k in range(n_groups)]
    in_a_row = [processes[k * size : (k + 1) * size] for k in range(n_groups)]
    for name, groups in (("in turn", in_turn), ("one after the other", in_a_row)):
        pairs = list(zip(groups[::2], groups[1::2], strict=False))
        different = sum(compare(a, b).decision != "~" for a, b in pairs)
        print(f"A/A on real processes, {name}: {different} of {len(pairs)} pairs called different")


if __name__ == "__main__":
    main()
