"""Both ends of a long run, and how the order of the cells changes between them."""

import numpy as np
import pytest

from harness.records import records
from harness.records.records import FORMAT, DelegateFacts, DeviceFacts, ModelFacts, ProcessFacts, Record
from harness.records.samples import make_samples, to_bytes
from harness.rows.summary import summarize_record
from harness.rows.sustained_rows import shown, sustained_rows


@pytest.fixture
def stored(tmp_path):
    def make(name, levels_ms, **settings):
        folder = tmp_path / name
        durations = (np.asarray(levels_ms) * 1e6).astype(np.int64)
        samples = make_samples(np.concatenate([[0], np.cumsum(durations)[:-1]]), durations, 1)
        folder.mkdir()
        (folder / "process-0.npy").write_bytes(to_bytes(samples))
        process = ProcessFacts(
            index=0, started_at="t", status="ok", samples="process-0.npy", steady_from=1, runtime="r"
        )
        record = Record(
            format=FORMAT,
            run_id="run",
            cell=name,
            complete=True,
            started_at="2026-11-21T00:00:00Z",
            model=ModelFacts(name=name, sha256="0", size_bytes=1, quantization="float32", card={}),
            device=DeviceFacts(name="phone", kind="fake"),
            delegate=DelegateFacts(requested="cpu:1", actual="xnnpack"),
            status="ok",
            settings=settings,
            processes=(process,),
        )
        records.save(folder / "record.json", record)
        return records.StoredRecord(record, folder)

    return make


def test_a_model_that_throttles_loses_its_rank(stored):
    fast = stored("fast", [10.0] * 2000 + [30.0] * 2000, sustained=80.0)
    even = stored("even", [20.0] * 4000, sustained=80.0)
    rows = {row["model"]: row for row in sustained_rows([fast, even])}
    assert (rows["fast"]["first_ms"], rows["fast"]["last_ms"]) == (10.0, 30.0)
    assert (rows["fast"]["rank_first"], rows["fast"]["rank_last"]) == (1, 2)
    assert (rows["even"]["rank_first"], rows["even"]["rank_last"]) == (2, 1)
    assert shown(rows["fast"])["change"] == "+200%" and shown(rows["even"])["knee at"] == "none"


def test_an_ordinary_run_has_no_such_rows(stored):
    assert sustained_rows([stored("plain", [10.0] * 100)]) == []


def test_mlperfs_quantiles_are_loadgens_estimates_and_not_the_samples_own(stored):
    """662 queries allow one slow one at p99 (the published minimum), so the estimate is the longest of them."""
    levels = [1.0] + [1.0 + k / 1000 for k in range(662)]
    summary = summarize_record(stored("mlperf", levels, mlperf=True))
    assert summary.n_samples == 662
    assert summary.p99_ms == pytest.approx(1.661)
    few = summarize_record(stored("few", levels[:64], mlperf=True))
    assert few.p90_ms is None and few.runs_needed["p90"] == 64
