"""What the README says is so."""

import importlib
import re

import pytest

from harness.cli.main import COMMANDS


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help_with_examples(readme, name):
    assert f"| `harness {name}" in readme
    command = importlib.import_module(COMMANDS[name].module).command
    assert command.help and "xample" in (command.epilog or ""), f"harness {name} has no examples"


def test_every_command_that_is_documented_exists(readme):
    documented = re.findall(r"^\| `harness ([a-z]+)", readme, flags=re.MULTILINE)
    assert documented and set(documented) <= set(COMMANDS)


def test_every_option_in_an_example_of_a_command_exists(readme):
    import rich_click as click

    for name, line in re.findall(r"^harness ([a-z]+)(.*)$", readme, flags=re.MULTILINE):
        command = importlib.import_module(COMMANDS[name].module).command
        if isinstance(command, click.Group):
            continue
        known = {option for parameter in command.params for option in parameter.opts}
        used = set(re.findall(r"(?<=\s)--[a-z-]+", line.partition("#")[0]))
        assert used <= known | {"--help"}, f"harness {name}: {used - known}"


@pytest.mark.parametrize("marker", ["install and measure the bundled example", "run the tests"])
def test_the_two_commands_that_ci_runs_are_marked(readme, marker):
    assert len(re.findall(rf"^\S.*  # {marker}$", readme, flags=re.MULTILINE)) == 1


def test_the_links_lead_to_files(readme, repository):
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (repository / target).exists(), target


def test_the_python_example_runs(readme, monkeypatch, tmp_path, repository):
    code = re.search(r"```python\n(.*?)```", readme, flags=re.DOTALL)[1]
    monkeypatch.chdir(repository)
    code = code.replace("limit=50)", f"limit=10, output={str(tmp_path)!r}, repetitions=1, min_seconds=0.05)")
    code = code.replace('"results"', repr(str(tmp_path)))
    scope = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert list(scope["frame"]["model"]) == ["shapes-float32", "shapes-full-integer"]
    assert len(scope["everything"]) == 2


def test_the_plan_of_the_readme_is_a_plan(readme, tmp_path):
    from harness.bench.plan_file import load_plan

    path = tmp_path / "plan.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", readme, flags=re.DOTALL)[1])
    request = load_plan(path)
    assert request.repetitions == 5 and request.settings.limit == 500
    assert request.override[0].set.given() == {"repetitions": 10}
