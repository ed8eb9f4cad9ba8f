"""The runs that a user names."""

import pytest

from harness.errors import UnknownNameError
from harness.rows.selection import find_folders


def test_results_alone_is_the_folder_of_the_runs_from_anywhere(tmp_path, monkeypatch):
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert find_folders(["results"], results) == find_folders(["results/"], results) == [results]


def test_a_folder_of_that_name_here_comes_first(tmp_path, monkeypatch):
    (tmp_path / "here" / "results").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert [str(found) for found in find_folders(["results"], tmp_path / "results")] == ["results"]


def test_where_there_is_none_it_is_a_run_that_is_not_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError):
        find_folders(["results"], tmp_path / "results")
