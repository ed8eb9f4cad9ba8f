"""What a user asks of a diagnosis becomes a case."""

import pytest

from harness.diagnosis.request import Request, make_case, refuse_outputs
from harness.errors import OutputError, UnknownNameError


@pytest.fixture
def ask(repository):
    said = []

    def make(*models, **changes):
        return make_case(Request(*models, workspace=str(repository), **changes), said.append), said

    return make


def test_two_models_are_a_float_and_a_quantized_one(ask):
    case, said = ask("shapes-float32", "shapes-full-integer", limit=9)
    assert case.pair.float.name == "shapes-float32" and case.pair.quantized.name == "shapes-full-integer"
    assert len(case.dataset.images) == 9
    assert said == ["the first 9 of 220 images are used; --limit N for more"]


def test_one_model_is_the_quantized_one_unless_it_runs_elsewhere(ask):
    assert ask("shapes-full-integer")[0].pair.float is None
    there = ask("shapes-full-integer", delegate="cpu-reference")[0].pair
    assert there.float.name == there.quantized.name == "shapes-full-integer"


def test_a_wrong_name_is_named(ask):
    with pytest.raises(UnknownNameError, match="shapes-float32"):
        ask("shapes-float23")


def test_what_could_not_be_written_at_the_end_is_refused_at_once(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(OutputError, match="name a new folder"):
        refuse_outputs(None, [None, tmp_path / "full"])
    with pytest.raises(OutputError, match="there is no folder"):
        refuse_outputs(tmp_path / "gone" / "page.html", [])
    refuse_outputs(tmp_path / "page.html", [tmp_path / "new", None])
