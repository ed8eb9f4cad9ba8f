"""Images prepared in other ways than the card says: a wrong mean is named with the line that helps."""

import shutil

import pytest
from msgspec.structs import replace

from harness.bench import preparations, review
from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.cards import load_card
from harness.edit.card_toml import to_toml
from harness.records.records import load_records
from harness.session import carry_out, prepare
from harness.settings import Settings
from tests.support.paths import MODELS

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

# fmt: off
WRONG = {
    "0…1 for -1…1": ({"mean": (0.0,) * 3, "std": (255.0,) * 3}, False),
    "pixels":       ({"mean": (0.0,) * 3, "std": (1.0,) * 3}, True),
    "ImageNet's":   ({"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}, False),
}
# fmt: on


@pytest.fixture
def measure(tmp_path, repository, monkeypatch):
    """Run the bundled model with a card that publishes nothing, with other input; return its only record."""
    monkeypatch.setattr(preparations, "LEAST_SECONDS", 600.0)  # on a busy machine, too

    def run(model="shapes-float32", limit=None, **changes):
        card = load_card(MODELS / f"{model}.toml").card
        source = replace(card.source, path=str(MODELS / card.source.path))
        data = replace(card.dataset, path=str(MODELS / card.dataset.path))
        card = replace(card, published=(), source=source, dataset=data, input=replace(card.input, **changes))
        (tmp_path / "card.toml").write_text(to_toml(card, "for a test"), encoding="utf-8")
        request = Request(
            models=(str(tmp_path / "card.toml"),),
            delegates=("cpu:1",),
            settings=Settings(latency=False, limit=limit),
            workspace=str(repository),
            output=str(tmp_path / "results"),
        )
        (stored,) = load_records(carry_out(prepare(request), Silent()).folder)
        shutil.rmtree(tmp_path / "results")
        return stored.record

    return run


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_mean_is_named_with_the_lines_that_help(wrong, measure):
    changes, certain = WRONG[wrong]
    record = measure(limit=60, **changes)
    (check,) = (one for one in record.accuracy.checks if one.name == preparations.NAME)
    assert check.certain == certain == (record.status == "incorrect")
    assert "input.mean = [127.5, 127.5, 127.5]" in check.words
    assert check.command.startswith(
        "harness edit card shapes-float32 --set 'input.mean=[127.5, 127.5, 127.5]'"
    )
    assert check.figures["found_otherwise"] > check.figures["found"] and 8 <= check.figures["images"] <= 20
    assert check.reason in record.reasons


@pytest.mark.parametrize(
    "model", ["shapes-float32", "shapes-float16", "shapes-dynamic-range", "shapes-full-integer"]
)
def test_a_right_card_raises_no_doubt(model, measure):
    record = measure(model, limit=60)
    assert (record.status, record.accuracy.checks) == ("ok", ())
    assert all(text.startswith(review.NOT_TRIED) for text in record.reasons)  # on a busy machine


def test_too_few_images_are_a_remark(measure):
    record = measure(limit=5)
    assert record.status == "ok"
    assert any(text.startswith(review.NOT_TRIED) for text in record.reasons)


def test_a_slow_model_is_tried_on_as_many_images_as_a_tenth_of_the_time_allows(repository):
    request = Request(models=("shapes-float32",), delegates=("cpu:1",), workspace=str(repository))
    (cell,) = prepare(request).plan.cells
    ways = 1 + len(preparations.alternatives(cell))
    assert ways == 7
    assert preparations.affordable_images(cell, 0.0, None) == preparations.MOST_IMAGES
    assert preparations.affordable_images(cell, 0.0, 10.0) == int(preparations.LEAST_SECONDS * 10 / ways)
    assert preparations.affordable_images(cell, 700.0, 1.0) == 10
