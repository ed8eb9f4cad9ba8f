"""Where healthy models are kept and broken ones are written: each is made once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from PIL import Image

from harness.cards import ModelCard, Source, load_card
from harness.edit.card_toml import to_toml
from harness.recognize.card import infer_card
from tests.example_training.draw import draw_scene
from tests.example_training.prepare import normalized
from tests.support.faults import quantizing

CALIBRATION = 40
SIDE = 144


@dataclass(frozen=True)
class Fault:
    """A broken pair.

    Attributes:
        name: Of the fault.
        causes: Names of the true cause, the first, and of what says the same in other words; () for a healthy pair.
        reference: Card of the float side; None where only the quantized model is given.
        broken: Card of the other side.
        dataset: Labelled images.
        pipeline_config: The training's configuration, where it is part of the case.
        delegate: What the other side runs on.
        representative: The samples that ranges were calibrated with, where they are part of the case.
        all_causes: Where several things are wrong at once: every one of them must be named.
    """

    name: str
    causes: tuple[str, ...]
    reference: Path | None
    broken: Path
    dataset: Path
    pipeline_config: Path | None = None
    representative: Path | None = None
    delegate: str = "cpu"
    all_causes: tuple[str, ...] = field(default=())


class Workshop:
    """Makes files in one folder out of the bundled example and, where they are there, the shared models."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.repository = folder, repository
        self.models = repository / "models"
        self.dataset = self.models / "shapes" / "dataset"

    @property
    def shared(self) -> Path:
        """Real models and images; may be absent."""
        return self.repository.parent / "shared" / "data"

    def card(self, name: str, of: Path | str, data: bytes | Path | None = None, **changes: Any) -> Path:
        """Write a card like another one, with changes (`input__channels="bgr"`), and its model where it is new."""
        origin = of if isinstance(of, Path) else self.models / f"{of}.toml"
        model = infer_card(origin) if origin.suffix == ".tflite" else load_card(origin)
        file = model.file
        if isinstance(data, bytes):
            file = self.folder / f"{name}.tflite"
            file.write_bytes(data)
        elif data is not None:
            file = data
        card = replace(
            model.card, name=name, source=Source(path=str(file)), dataset=None, published=(), description=""
        )
        path = self.folder / f"{name}.toml"
        path.write_text(to_toml(_changed(card, changes), "a case of the fault library"), encoding="utf-8")
        return path

    def file_of(self, card: str) -> Path:
        return load_card(self.models / f"{card}.toml").file

    @cached_property
    def float32(self) -> bytes:
        """The bundled float model."""
        return self.file_of("shapes-float32").read_bytes()

    @cached_property
    def float_card(self) -> Path:
        return self.models / "shapes-float32.toml"

    @cached_property
    def pixels(self) -> list[np.ndarray]:
        """Drawn images that no evaluation uses, uint8 [1, 144, 144, 3]."""
        return [_drawn(index) for index in range(CALIBRATION)]

    @cached_property
    def samples(self) -> list[np.ndarray]:
        """The images as the float model takes them, -1…1."""
        return [normalized(image) for image in self.pixels]

    @cached_property
    def ranges(self) -> quantizing.Ranges:
        """The ranges of the float model's tensors over the samples."""
        return quantizing.ranges(self.float32, self.samples)

    @cached_property
    def int8(self) -> bytes:
        """The float model, well quantized."""
        return quantizing.quantize(self.float32, self.ranges)

    def fault(self, name: str, cause: str, broken: Path, also: tuple[str, ...] = (), **more: Any) -> Fault:
        """Return a case whose other side is the bundled float model, unless told otherwise."""
        given = {"reference": self.float_card, "dataset": self.dataset, **more}
        return Fault(name, (cause, *also), broken=broken, **given)


def _changed(card: ModelCard, changes: dict[str, Any]) -> ModelCard:
    for key, value in changes.items():
        section, _, entry = key.partition("__")
        part, _, inner = entry.partition("__")
        struct = getattr(card, section)
        if inner:
            changed = replace(struct, **{part: replace(getattr(struct, part), **{inner: value})})
        else:
            changed = replace(struct, **{part: value})
        card = replace(card, **{section: changed})
    return card


def _drawn(index: int) -> np.ndarray:
    image = Image.fromarray(draw_scene("calibration", index).image)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))[None]
