"""Published figures beside your own."""

import json

import pytest

from harness import schema
from harness.errors import SchemaError
from harness.report import export
from harness.rows import columns, frame, pareto
from harness.rows.published import PUBLISHED, published_rows
from harness.workspace import Workspace
from tests.support.exported import read_back


@pytest.fixture
def rows(repository):
    return published_rows(Workspace(repository))


def test_every_file_names_its_source_and_every_row_ends_with_it(rows, repository):
    files = sorted((repository / "results" / "published").glob("*.toml"))
    assert files
    sources = {path.stem: schema.load_toml(path)["source"] for path in files}
    assert {row["run_id"] for row in rows} == set(sources)
    assert all(row["reasons"][-1] == sources[row["run_id"]] for row in rows)


def test_the_figures_are_those_that_were_published(rows):
    found = {
        (row["model"], row["device"]): (row["latency_mean_ms"], row["map"])
        for row in rows
        if row["map"] is not None
    }
    assert found[("mobiledet-cpu", "Pixel 1")] == (113, 0.240)
    assert found[("mobiledet-edgetpu", "Pixel 4")] == (6.9, 0.256)
    assert found[("mobiledet-dsp", "Pixel 4")] == (12.3, 0.288)
    assert found[("ssd-mobilenet-v3-small", "Pixel 1")] == (43, 0.154)
    assert found[("ssd-mobilenet-v1-mlperf [fast NMS]", None)] == (None, 0.2186)
    boards = [row for row in rows if row["device"] == "Coral Dev Board"]
    assert [(row["latency_mean_ms"], row["fps"]) for row in boards] == [(6.6, 152), (6.1, 164)]


def test_the_models_are_called_as_their_cards_are_and_the_cards_agree(rows, repository):
    from harness.recognize.find import find_model

    for row in rows:
        card = find_model(row["model"].partition(" [")[0], Workspace(repository)).card
        told = [figure.value for figure in card.published if figure.metric == "map"]
        assert row["map"] is None or any(row["map"] == pytest.approx(value) for value in told), row["model"]


def test_they_are_marked_and_never_ranked(rows, make_run):
    run = make_run()
    run.cell(
        device="Pixel 4", delegate="edgetpu", map_=0.2, median_ms=50, dataset="COCO val2017", n_images=5000
    )
    own = frame.to_rows(frame.read_results([run.folder]).records)
    assert {(row["status"], row["verdict"], row["device_kind"]) for row in rows} == {(PUBLISHED,) * 3}
    assert all(row["latency_median_ms"] is None for row in rows), "no source says that it is a median"
    assert pareto.optimal([*own, *rows]) == [True, *[False] * len(rows)]
    assert not any(change.map_difference or change.speed_ratio for change in pareto.changes([*own, *rows]))


@pytest.mark.parametrize("ending", ["json", "csv", "parquet"])
def test_they_are_rows_like_any_other_and_read_back(rows, tmp_path, ending):
    import pandas as pd

    path = tmp_path / f"x.{ending}"
    path.write_bytes(export.to_bytes(rows, columns.NAMES, ending))
    pd.testing.assert_frame_equal(read_back(path), frame.rows_to_frame(rows), check_exact=True)


def test_a_workspace_has_figures_of_its_own_or_those_that_came_with_the_program(tmp_path, rows):
    assert len(published_rows(Workspace(tmp_path))) == len(rows)
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    (folder / "ours.toml").write_text(
        'title = "x"\nsource = "our paper"\n[[figure]]\nmodel = "m"\nlatency_ms = 1.5\n'
    )
    (row,) = published_rows(Workspace(tmp_path))
    assert (row["model"], row["latency_mean_ms"], row["run_id"]) == ("m", 1.5, "ours")
    assert json.dumps(row)


def test_a_file_that_does_not_fit_is_named_with_its_key(tmp_path):
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text('title = "x"\nsource = "y"\n[[figure]]\nmodel = "m"\nlatency = 1\n')
    with pytest.raises(SchemaError, match=r"x\.toml.*latency.*latency_ms"):
        published_rows(Workspace(tmp_path))
