"""Versions of one model are known by what they were made from and by their cards, whatever they are called."""

import pytest

from harness.records.records import ModelFacts
from harness.rows.identity import identities
from harness.rows.pareto import changes


class Stored:
    """A cell of which only the model counts here."""

    def __init__(self, name, lineage=(), version_of=None, sha256=None):
        card = {} if version_of is None else {"version_of": version_of}
        facts = ModelFacts(
            name=name, sha256=sha256 or name, size_bytes=1, quantization="float32", card=card, lineage=lineage
        )
        self.record = type("Record", (), {"model": facts})


def row(name, quantization="full-integer", map_=0.5, **others):
    place = {"run_id": "r", "device": "d", "delegate_requested": "cpu:1", "runtime": "t", "status": "ok"}
    data = {"dataset": "coco", "n_images": 9, "latency_median_ms": 1.0, "map": map_}
    return {**place, **data, "model": name, "model_sha256": name, "quantization": quantization, **others}


def test_a_model_and_what_it_was_made_from_are_versions_whatever_their_names():
    known = identities([Stored("best"), Stored("small-one", lineage=("best",)), Stored("other")])
    assert known["best"] == known["small-one"] and "other" not in known


def test_two_that_were_made_from_one_graph_are_versions():
    known = identities(
        [Stored("a", lineage=("graph",)), Stored("b", lineage=("graph",)), Stored("c", lineage=("g2",))]
    )
    assert known["a"] == known["b"] != known["c"]


def test_a_card_says_of_what_it_is_a_version():
    known = identities([Stored("f32", sha256="1"), Stored("q", version_of="f32", sha256="2")])
    assert known["1"] == known["2"]
    assert identities([Stored("q", version_of="f32", sha256="2"), Stored("x", sha256="3")]).keys() == {"2"}


def test_the_change_is_against_the_known_version_and_not_against_a_name():
    rows = [row("ssd-float32", "float32", 0.6), row("best", "float32", 0.55), row("ssd-int8")]
    _, _, by_name = changes(rows)
    assert by_name.by_name and by_name.map_difference == pytest.approx(-0.1)
    known = identities([Stored("ssd-float32"), Stored("best"), Stored("ssd-int8", lineage=("best",))])
    _, _, change = changes(rows, known)
    assert not change.by_name and change.map_difference == pytest.approx(-0.05)


def test_names_do_not_pair_a_model_that_is_known_to_be_of_another():
    rows = [row("ssd-float32", "float32", 0.6), row("ssd-int8")]
    known = identities([Stored("ssd-float32"), Stored("ssd-int8", lineage=("a graph of another training",))])
    assert changes(rows, known)[1].map_difference is None


def test_rows_of_other_settings_of_nms_are_not_held_against_each_other():
    rows = [row("a[fast]", "float32"), row("a[regular]", "float32"), row("b[fast]"), row("b[slow]")]
    known = dict.fromkeys(("a[fast]", "a[regular]", "b[fast]", "b[slow]"), "one")
    assert [change.map_difference for change in changes(rows, known)[2:]] == [0.0, None]
