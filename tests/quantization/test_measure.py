"""Variants are measured with the card of the model they were made of."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from harness.bench.observer import Silent
from harness.cards import AnchorSpec, load_card
from harness.errors import UsageError
from harness.quantization import measure
from harness.quantization.measure import How, Variant


def test_a_variant_has_the_models_card_but_its_own_name_file_and_size(shapes, tmp_path):
    variant = Variant("other", tmp_path / "other.tflite", (96, 64))
    card = load_card(measure.write_card(shapes, variant, tmp_path)).card
    assert (card.name, card.source.path) == ("other", str(tmp_path / "other.tflite"))
    assert (card.input.width, card.input.height) == (96, 64)
    assert (card.decoder, card.labels) == (shapes.card.decoder, shapes.card.labels)
    assert (card.input.mean, card.dataset, card.published) == (shapes.card.input.mean, None, ())


def test_a_side_file_of_anchors_is_still_found_from_another_folder(shapes, tmp_path):
    decoder = changed(shapes.card.decoder, anchors=AnchorSpec(source="file", file="anchors.npy"))
    model = replace(shapes, card=changed(shapes.card, decoder=decoder))
    card = load_card(measure.write_card(model, Variant("other", shapes.file), tmp_path)).card
    assert card.decoder.anchors.file == str((shapes.origin.parent / "anchors.npy").resolve())


def test_the_same_file_twice_has_the_same_map_which_is_the_published_one(shapes):
    how = How(dataset=shapes.dataset_path, latency=False)
    rows = measure.measure(shapes, [Variant("one", shapes.file), Variant("two", shapes.file)], how, Silent())
    assert [row["model"] for row in rows] == ["one", "two"]
    assert rows[0]["map"] == rows[1]["map"] == pytest.approx(0.6024, abs=1e-4)


def test_nothing_to_measure_is_refused(shapes):
    with pytest.raises(UsageError, match="nothing to measure"):
        measure.measure(shapes, [Variant("one", shapes.file)], How(latency=False), Silent())
