"""Cards with other entries, from the command line."""

import json

import pytest

from harness.cards import load_card
from harness.cli.main import main
from harness.edit.card_settings import with_settings, write_card
from harness.errors import OutputError, SchemaError, UsageError


@pytest.fixture
def model(repository):
    return load_card(repository / "models" / "shapes-float32.toml")


def test_entries_are_set_and_taken_out(model):
    card = with_settings(
        model.card,
        ["input.channels=bgr", "labels.offset=2", "input.mean=none", "input.std = none", "decoder.order=tf2"],
    )
    assert (card.input.channels, card.labels.offset, card.decoder.order) == ("bgr", 2, "tf2")
    assert card.input.mean is None and card.input.std is None


def test_values_are_those_of_toml(model):
    card = with_settings(
        model.card, ["input.mean=[1, 2.5, 3]", 'input.channels="bgr"', "decoder.nms.iou_threshold=0.5"]
    )
    assert card.input.mean == (1.0, 2.5, 3.0)
    assert card.input.channels == "bgr" and card.decoder.nms.iou_threshold == 0.5


@pytest.mark.parametrize(
    ("setting", "error", "text"),
    [
        ("input.channels", UsageError, "KEY=VALUE"),
        ("=1", UsageError, "KEY=VALUE"),
        ("input.chanels=bgr", SchemaError, "did you mean channels"),
        ("input.channels=rbg", SchemaError, "expected one of rgb, bgr"),
        ("labels.offset=one", SchemaError, "labels.offset"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(model, setting, error, text):
    with pytest.raises(error, match=text):
        with_settings(model.card, [setting])


def test_the_written_card_finds_the_same_files(model, tmp_path):
    path = write_card(model.card, model, tmp_path / "mine.toml", "for a test")
    found = load_card(path)
    assert found.name == "mine"
    assert found.file.samefile(model.file) and found.dataset_path.samefile(model.dataset_path)
    assert found.card.input == model.card.input and not found.card.published


def test_a_card_that_exists_is_not_written_over(model, tmp_path):
    path = write_card(model.card, model, tmp_path / "mine.toml", "")
    with pytest.raises(OutputError, match="exists already"):
        write_card(model.card, model, path, "")


def test_the_command_says_what_changed(repository, tmp_path, capsys):
    card, out = repository / "models" / "shapes-float32.toml", tmp_path / "bgr.toml"
    with pytest.raises(SystemExit) as ended:
        main(["edit", "card", str(card), "--set", "input.channels=bgr", "-o", str(out), "--format", "json"])
    assert ended.value.code in {0, None}
    assert json.loads(capsys.readouterr().out) == [
        {"key": "input.channels", "before": '"rgb"', "after": '"bgr"'}
    ]
    assert load_card(out).card.input.channels == "bgr"
