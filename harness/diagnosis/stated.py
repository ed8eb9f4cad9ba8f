"""What two files and two cards state, compared without running anything: for `harness inspect A B`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.cards import DecoderSpec, InputSpec, Model, ModelCard, Source
from harness.diagnosis.layers.constants import compare_constants
from harness.diagnosis.layers.matching import match_tensors
from harness.diagnosis.layers.quantization_map import WEIGHTED
from harness.diagnosis.layers.stated import stated_differences
from harness.diagnosis.layers.stored_scales import wrong_scales
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair, Role
from harness.edit.card_toml import changed_entries
from harness.tflite.model import load

Row = dict[str, str | None]
PARTS = ("input.", "decoder.", "labels.")
"""The entries of cards that say how images are fed and outputs read."""


def rows(first: Model | None, second: Model | None, files: tuple[Path, Path]) -> list[Row]:
    """Return a row for each statement that contradicts the other side's, or the file's own operators.

    Args:
        first: The first side's card; None where it has none.
        second: The second side's.
        files: Both files.
    """
    pair = ModelPair(_bare("float", files[0]), _bare("quantized", files[1]))
    cards = [] if first is None or second is None else list(_cards(first.card, second.card))
    return [*cards, *_files(pair)]


def _bare(role: Role, file: Path) -> ComparedModel:
    """Return a model of which only the file counts."""
    card = ModelCard(
        name="model",
        source=Source(path=file.name),
        input=InputSpec(width=1, height=1),
        decoder=DecoderSpec(name="none"),
    )
    return ComparedModel(role, Model(card, file), *load(file))


def _cards(first: ModelCard, second: ModelCard) -> Iterator[Row]:
    for key, before, after in changed_entries(first, second):
        if key.startswith(PARTS):
            yield {"key": f"card.{key}", "first": before, "second": after}


def _files(pair: ModelPair) -> Iterator[Row]:
    if _is_one_network(pair):
        for one in stated_differences(pair):
            yield {
                "key": f"options.{one.layer}.{one.option}",
                "first": str(one.first),
                "second": str(one.second),
            }
        for constant in compare_constants(pair).differing("weights", "bias", "anchors", "constant"):
            words = f"differs by {constant.share:.0%}, up to {constant.worst:.3g} steps"
            yield {"key": f"constants.{constant.layer}.{constant.part}", "first": None, "second": words}
    for wrong in wrong_scales(pair.quantized.graph):
        right, stated = (f"{how.scale:.4g}, {how.zero_point}" for how in (wrong.right, wrong.stated))
        yield {
            "key": f"scale.{wrong.layer}.{wrong.operator}",
            "first": f"should be {right}",
            "second": stated,
        }


def _is_one_network(pair: ModelPair) -> bool:
    """Whether at least half of the layers with weights correspond; constants of two networks say nothing."""
    assert pair.float is not None
    graphs = pair.float.graph, pair.quantized.graph
    most = max(sum(o.name in WEIGHTED for o in graph.primary.operators) for graph in graphs)
    matched = sum(found.operator in WEIGHTED for found in match_tensors(*graphs))
    return matched * 2 >= most > 0
