"""Images on a board, behind a real sshd."""

from pathlib import Path

from harness.accuracy.dataset import find_dataset
from harness.bench.engines.board_images import place_images
from tests.support.paths import DATASET


def test_images_that_are_there_are_not_sent_again_and_are_shared_by_data_sets(sshd):
    paths = [entry.path for entry in find_dataset(DATASET).limited(12).images]
    device = sshd.device()
    device.run(["true"], timeout_s=60)
    costs = []
    for part in (paths[:8], paths[:8], paths):
        before = device.round_trips
        there = place_images(device, part)
        costs.append(device.round_trips - before)
        assert [Path(p).read_bytes() for p in there] == [p.read_bytes() for p in part]
    assert costs[1] == 1 and costs[0] - 1 <= 3 and costs[2] == 3
    device.close()
