"""Where devices/ and models/ are looked for."""

import os
from pathlib import Path

import pytest

from harness import workspace
from harness.errors import OutputError, WorkspaceError
from harness.workspace import ensure_writable, expand_user, find_workspace


def make(folder: Path) -> Path:
    for name in ("devices", "models"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without a workspace above it, and a package without bundled data."""
    here = tmp_path / "work" / "deep" / "deeper"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "site" / "harness")
    return here


def test_the_folder_that_is_named_comes_first(nowhere: Path, tmp_path: Path) -> None:
    make(nowhere)
    named = make(tmp_path / "named")
    assert find_workspace(named).root == named


def test_a_named_folder_that_is_no_workspace_is_an_error_even_where_there_is_another(
    nowhere: Path, tmp_path: Path
) -> None:
    make(nowhere)
    with pytest.raises(WorkspaceError, match=r"elsewhere: not a workspace; expected the folders devices/"):
        find_workspace(tmp_path / "elsewhere")


def test_the_nearest_folder_upward_comes_before_one_further_up(nowhere: Path) -> None:
    make(nowhere.parents[1])
    near = make(nowhere.parent)
    assert find_workspace().root == near


def test_a_folder_with_only_one_of_the_two_is_passed_by(nowhere: Path) -> None:
    (nowhere / "models").mkdir()
    root = make(nowhere.parent)
    assert find_workspace().root == root


def test_a_python_package_called_models_is_not_a_workspace(nowhere: Path) -> None:
    code = make(nowhere)
    (code / "models" / "__init__.py").touch()
    root = make(nowhere.parents[1])
    assert find_workspace().root == root


def test_the_copy_in_the_wheel_comes_before_the_checkout(nowhere: Path, tmp_path: Path) -> None:
    make(tmp_path / "site")
    bundled = make(tmp_path / "site" / "harness" / "_bundled")
    found = find_workspace()
    assert (found.root, found.bundled) == (bundled, True)


def test_the_checkout_of_an_editable_install_comes_last(nowhere: Path, tmp_path: Path) -> None:
    checkout = make(tmp_path / "site")
    found = find_workspace()
    assert (found.root, found.bundled) == (checkout, True)


def test_when_nothing_is_found_the_error_says_where_it_was_looked_for(nowhere: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        find_workspace()
    for place in (nowhere, tmp_path / "site" / "harness" / "_bundled", tmp_path / "site"):
        assert str(place) in str(caught.value)
    assert "--workspace" in str(caught.value)


def test_results_of_the_bundled_copy_go_below_the_working_folder(nowhere: Path, tmp_path: Path) -> None:
    make(tmp_path / "site" / "harness" / "_bundled")
    assert find_workspace().results == nowhere / "results"


def test_results_of_a_workspace_go_into_it(nowhere: Path) -> None:
    make(nowhere.parent)
    assert find_workspace().results == nowhere.parent / "results"


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/results: cannot be written .*--output"):
        ensure_writable(tmp_path / "file" / "results")


def test_a_full_disk_leaves_no_probe_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        ensure_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_is_expanded_and_a_stranger_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.sep + "home-of-mine")
    assert expand_user("~/x") == Path(os.sep, "home-of-mine", "x")
    assert expand_user("~no-such-user-here/x") == Path("~no-such-user-here/x")


def test_results_outside_any_workspace_go_below_the_working_folder_though_the_program_is_a_checkout(
    nowhere: Path, tmp_path: Path
) -> None:
    make(tmp_path / "site")
    assert find_workspace().results == nowhere / "results"
