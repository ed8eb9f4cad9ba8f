"""A measured accuracy against the one that a model's card publishes for the very data set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.accuracy.bootstrap import Interval
from harness.accuracy.dataset import Dataset
from harness.accuracy.doubts import FEWEST_IMAGES
from harness.cards import Model, Published
from harness.paths import resolved
from harness.records.checks import PROBE, Check, verdict

ROUNDING = 0.01
"""mAP by which runtimes, delegates and ways to round differ on the same images."""
WIDER = 1.5
"""Times the half width of the 95 % interval: about three standard errors, for a part of the images."""


def against_published(model: Model, dataset: Dataset, interval: Interval) -> Iterator[Check]:
    """Compare an mAP with the card's, where the data set is the one that belongs to the card."""
    figure = _map_of(model)
    if figure is None or interval.map is None or not _is_own(model, dataset):
        return
    n_images = len(dataset.images)
    allowed = ROUNDING if _n_images(figure) == n_images else _allowed(interval)
    if n_images < FEWEST_IMAGES or allowed is None or abs(interval.map - figure.value) <= allowed:
        return
    yield Check(
        name="other than published",
        verdict=verdict(certain=interval.high is not None and interval.high < figure.value / 2),
        figures={"map": interval.map, "map_published": figure.value},
        words=f"mAP is {interval.map:.3f} where the card publishes {figure.value:.3f} "
        f"({figure.dataset or dataset.name})",
        remedy="compare the card's [input] (mean, std, channels, resize) with the model's training",
        command=PROBE,
    )


def is_published_for(model: Model, dataset: Dataset) -> bool:
    """Whether a model's card publishes an mAP for the very data set, so that a wrong preparation shows by itself."""
    return _map_of(model) is not None and _is_own(model, dataset)


def _map_of(model: Model) -> Published | None:
    return next((one for one in model.card.published if one.metric == "map"), None)


def _is_own(model: Model, dataset: Dataset) -> bool:
    own = model.dataset_path
    return own is not None and resolved(dataset.annotations).is_relative_to(resolved(own))


def _allowed(interval: Interval) -> float | None:
    if interval.low is None or interval.high is None:
        return None
    return ROUNDING + WIDER * (interval.high - interval.low) / 2


def _n_images(figure: Published) -> int | None:
    found = re.search(r"(\d[\d,]*) images", figure.dataset)
    return int(found[1].replace(",", "")) if found else None
