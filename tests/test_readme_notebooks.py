"""The notebooks of results/README.md run as they stand there."""

import re
import shutil

import pytest


@pytest.fixture
def notebooks(repository):
    """The code of the section, in order."""
    text = (repository / "results" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## In a notebook")[2].partition("\n## ")[0].partition("\n### ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch, make_run):
    """A folder such as a user has: a workspace with runs, and two runs to compare."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "models").mkdir()
    make_run().example()
    for name, pace in (("base", 1.0), ("new", 1.3)):
        run = make_run(name)
        run.cell("shapes-float32", median_ms=4.2 * pace), run.cell("shapes-int8", median_ms=2.0)
        shutil.move(run.folder, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(code):
    scope = {}
    exec(compile(code, "README.md", "exec"), scope)
    return scope


def test_there_are_three_notebooks(notebooks):
    assert len(notebooks) == 3


def test_the_first_says_which_to_ship(notebooks, place):
    scope = execute(notebooks[0])
    assert list(scope["best"]["model"]) == ["shapes-full-integer"]
    assert scope["table"].shape == (4, 3)
    assert scope["loss"]["float32"] == pytest.approx(0) and scope["loss"]["full-integer"] == pytest.approx(
        -0.03
    )


def test_the_second_says_what_changed(notebooks, place, capsys):
    scope = execute(notebooks[1])
    assert list(scope["real"]["model"]) == ["shapes-float32"]
    assert scope["changes"].attrs["gate"] == "fail"
    assert "shapes-float32" in capsys.readouterr().out


def test_the_third_looks_at_samples_and_ends_with_a_run_that_shows_itself(notebooks, place):
    scope = execute(notebooks[2])
    assert len(scope["processes"]) == 5 and scope["medians"][0] == pytest.approx(4.2, rel=0.02)
    assert 0 <= scope["spread"] < 5 and scope["slowest"] > 4.2
    assert notebooks[2].splitlines()[-1] == "run"
    assert "shapes-float32" in scope["run"]._repr_html_()
