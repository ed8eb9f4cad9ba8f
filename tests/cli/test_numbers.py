"""Every number on a command line may be any text: none of them is a fault."""

import click
import pytest

import harness
from harness.cli.main import COMMANDS, cli, main
from harness.errors import UsageError
from tests.support.launcher import make_launcher
from tests.support.paths import DATASET, MODELS, REPOSITORY

HOSTILE = ("nan", "inf", "-inf", "-1", "1e400", "9" * 400, "9" * 5000, "²", "0x10", "", "1" + "_0" * 50)
NUMERIC = {"integer", "float", "integer range", "float range", "time", "percent", "numbers", "size", "sizes"}
NUMERIC |= {"stats"}


def commands():
    with click.Context(cli) as context:
        for name in COMMANDS:
            command = cli.resolve_command(context, [name])[1]
            inner = getattr(command, "commands", None)
            yield from (
                [([name, each], one) for each, one in inner.items()] if inner else [([name], command)]
            )


def numbers():
    for words, command in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.type.name in NUMERIC:
                yield pytest.param(words, command, parameter, id=f"{'-'.join(words)}{parameter.opts[-1]}")


@pytest.mark.parametrize(("words", "command", "parameter"), list(numbers()))
def test_a_hostile_number_is_wrong_use_or_no_fault(words, command, parameter, capsys, tmp_path):
    needed = [one for one in command.params if one.required and one is not parameter]
    arguments = [str(tmp_path / "none.tflite") for one in needed if isinstance(one, click.Argument)]
    options = [
        text
        for one in needed
        if isinstance(one, click.Option)
        for text in (one.opts[-1], str(tmp_path / "x"))
    ]
    dry = ["shapes-float32", "--no-accuracy", "--dry-run"] if words == ["run"] else []
    for value in HOSTILE:
        with pytest.raises(SystemExit) as left:
            main(
                [
                    "--workspace",
                    str(REPOSITORY),
                    *words,
                    *arguments,
                    *options,
                    *dry,
                    f"{parameter.opts[-1]}={value}",
                ]
            )
        told = capsys.readouterr().err
        assert "Traceback" not in told, (value[:20], told[-400:])
        assert left.value.code in {0, 1, 2}
        assert len(told) < 20_000


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("max_start_temp", float("nan"), "--max-start-temp: found nan, expected -40 to 100"),
        ("max_start_temp", 1000.0, "--max-start-temp: found 1000, expected -40 to 100"),
        ("score_threshold", [0.1, 1.5], "--score-threshold: found 1.5, expected 0 to 1"),
        ("score_threshold", [float("nan")], "--score-threshold: found nan, expected 0 to 1"),
        ("iou_threshold", [-0.1], "--iou-threshold: found -0.1, expected 0 to 1"),
        ("max_detections", [0], "--max-detections: found 0, expected 1 to 1e+06"),
        ("cpu_mask", "all", "--cpu-mask: found 'all', expected a mask in hexadecimal such as f0"),
        ("cpu_mask", "0", "--cpu-mask: found '0', expected a mask"),
        ("cpu_mask", "f0; reboot", "--cpu-mask: found 'f0; reboot', expected a mask"),
        ("repetitions", 10**400, "--repetitions: found 1000.*… \\(401 characters\\), expected 1 to 10000"),
        ("seed", 10**400, "--seed: found 1000.*… \\(401 characters\\), expected -1e\\+15 to 1e\\+15"),
        ("farm_wait", -1.0, "--farm-wait: found -1, expected at least 0"),
    ],
)
def test_a_value_out_of_range_is_refused_before_anything_is_measured(option, value, words):
    import re

    pattern = words if "\\" in words else re.escape(words)
    with pytest.raises(UsageError, match=pattern):
        harness.run("shapes-float32", dry_run=True, workspace=REPOSITORY, **{option: value})


@pytest.mark.parametrize("mask", ["f0", "0xF0", "1", "00ff"])
def test_a_mask_that_taskset_takes_is_taken(mask, tmp_path):
    tool = make_launcher(tmp_path)
    frame = harness.run(
        "shapes-float32",
        dry_run=True,
        workspace=REPOSITORY,
        cpu_mask=mask,
        delegates="cpu:1",
        benchmark_binary=tool,
    )
    assert len(frame) == 1


def test_a_threshold_that_is_no_number_finds_nothing_to_leave_out(capsys):
    picture = next(DATASET.rglob("*.png"), None) or next(DATASET.rglob("*.jpg"))
    model = MODELS / "shapes" / "shapes_float32.tflite"
    with pytest.raises(SystemExit) as left:
        main(["detect", str(model), str(picture), "--score-threshold", "nan"])
    assert left.value.code == 2
    assert "expected a number from 0 to 1" in capsys.readouterr().err
