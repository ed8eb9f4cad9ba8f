"""Model cards: where a .tflite comes from, how its input is prepared, how its outputs are decoded.

The keys of a card are documented for users in `models/README.md`; a test holds the two against each other.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from harness import schema
from harness.delegates import EDGETPU
from harness.errors import SchemaError
from harness.paths import expand_user, found_in, is_file
from harness.schema import Strict
from harness.vocabulary import ConversionMode
from harness.workspace import Workspace

ResizeMethod = Literal[
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-nearest",
    "pillow-box",
    "pillow-lanczos",
    "tf-bilinear",
    "opencv-bilinear",
]
NO_DECODER = "none"
"""The decoder of a model whose outputs are no detections, or are not understood."""
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
"""How the address of an archive ends."""


class Source(Strict, frozen=True, kw_only=True):
    """Where the file comes from: `path` beside the card, or `url` (with `member` when that is an archive).

    `format` says what is found there. Anything but `tflite` has to be converted before it can be measured, and with
    `compiled_for` the converted file is compiled for that accelerator. `mode` is what the graph is converted to where
    nobody says another; `made_by` says how the graph comes to be where it is not what can be fetched. `variants` are
    other members of the same archive, each under a name of its own: the graph that the file was made of, its
    `pipeline.config`.
    """

    path: str | None = None
    url: str | None = None
    member: str | None = None
    sha256: str | None = None
    format: Literal["tflite", "frozen-graph", "saved-model"] = "tflite"
    compiled_for: str | None = None
    mode: ConversionMode | None = None
    made_by: str = ""
    variants: dict[str, str] = msgspec.field(default_factory=dict)


class InputSpec(Strict, frozen=True, kw_only=True):
    """How an image becomes the input tensor.

    `mean` and `std` give real = (pixel - mean) / std for pixels of 0…255. A float input takes `real`; an
    integer input takes round(real / scale) + zero_point with its own quantization, or, where they are absent,
    the pixels themselves (minus 128 for int8).
    """

    width: int
    height: int
    resize: Literal["stretch", "letterbox"] = "stretch"
    pad_value: int = 114
    pad_position: Literal["center", "corner"] = "center"
    method: ResizeMethod = "pillow-bilinear"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None


class NmsSpec(Strict, frozen=True, kw_only=True):
    """How overlapping boxes are suppressed on this computer; None leaves it to the decoder's family."""

    kind: Literal["regular", "fast", "class-aware", "none"] | None = None
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None
    detections_per_class: int | None = None
    classes_per_detection: int | None = None


class AnchorSpec(Strict, frozen=True, kw_only=True):
    """Where the anchors of `ssd-raw` come from: the model's constants, its outputs, a file, or a generator.

    The generators are those of the TensorFlow Object Detection API: `ssd` (ssd_anchor_generator), `multiscale`
    (multiscale_grid_anchor_generator), and `efficientdet` of google/automl. `sizes` are those of `yolo-levels`.
    """

    source: Literal["model", "output", "file", "metadata", "ssd", "multiscale", "efficientdet"] = "model"
    file: str | None = None
    sizes: tuple[tuple[float, float], ...] = ()
    format: Literal["center-size", "corners"] = "center-size"
    feature_maps: tuple[int, ...] = ()
    aspect_ratios: tuple[float, ...] = ()
    min_scale: float = 0.2
    max_scale: float = 0.95
    reduce_lowest: bool = True
    min_level: int = 3
    max_level: int = 7
    anchor_scale: float = 4.0
    scales_per_octave: int = 2


class DecoderSpec(Strict, frozen=True, kw_only=True):
    """How the output tensors become detections: the decoder's name and its settings; None is the family's."""

    name: str
    order: str | None = None
    box_format: Literal["xywh", "ltwh", "xyxy", "yxyx", "grid"] | None = None
    box_units: Literal["auto", "share", "pixels"] = "auto"
    box_coding: Literal["center-size", "corner-offsets", "yolov3", "yolov5", "yolox"] = "center-size"
    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    background: bool | Literal["first", "last", "none"] = False
    strides: tuple[int, ...] = (8, 16, 32)
    cell_offset: float = 0.5
    cell_shift: float = 0.0
    cell_scales: tuple[float, ...] = ()
    bins: int = 8
    extra_columns: int = 0
    nms: NmsSpec = msgspec.field(default_factory=NmsSpec)
    anchors: AnchorSpec | None = None


class Labels(Strict, frozen=True, kw_only=True):
    """Which category id a class index means.

    Classes are matched with a data set's categories by name, where both have names: `names` gives them in the order
    of the classes, and `map = { "class" = "category" }` says where the data set has another word. Ids count where
    there are no names: `ids` gives the category of each class (-1 leaves one out), else `offset` is added to the
    class index, and `map = "coco80"` maps the contiguous 80 classes to COCO's 90-id space.
    """

    offset: int = 0
    map: Literal["coco80"] | dict[str, str] | None = None
    names: tuple[str, ...] | None = None
    ids: tuple[int, ...] | None = None


class ExampleDataset(Strict, frozen=True, kw_only=True):
    """The dataset that belongs to the model; used where the user names none."""

    path: str


class Published(Strict, frozen=True, kw_only=True):
    """One published figure, with where it stands."""

    metric: str
    value: float
    source: str
    unit: str = ""
    dataset: str = ""
    device: str = ""
    delegate: str = ""
    note: str = ""


class ModelCard(Strict, frozen=True, kw_only=True):
    """The whole card, as in the TOML file."""

    name: str
    source: Source
    input: InputSpec
    decoder: DecoderSpec
    labels: Labels = msgspec.field(default_factory=Labels)
    description: str = ""
    license: str = ""
    homepage: str = ""
    version_of: str | None = None
    dataset: ExampleDataset | None = None
    published: tuple[Published, ...] = ()


@dataclass(frozen=True)
class Model:
    """A card and the file that it speaks of.

    Attributes:
        card: The card, read or inferred.
        file: Where the .tflite is, or will be once it is fetched or converted.
        origin: The card's file; None for a card inferred from a bare .tflite.
        evidence: How each inferred entry is known, one sentence each; empty for a written card.
    """

    card: ModelCard
    file: Path
    origin: Path | None = None
    evidence: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    def named(self, name: str) -> Model:
        """Return the same model under another name."""
        return replace(self, card=msgspec.structs.replace(self.card, name=name))

    @property
    def available(self) -> bool:
        """Whether the file is on this computer."""
        return is_file(self.file)

    @property
    def download(self) -> Path | None:
        """Where the fetched file is put: `file`, or the graph that is to be converted; None without a URL."""
        source = self.card.source
        return None if source.url is None else self.file.with_name(_file_name(source.member or source.url))

    @property
    def variants(self) -> dict[str, Model]:
        """The other members of the archive, each as a model of its own: by name, beside the file."""
        return {name: self._variant(member) for name, member in self.card.source.variants.items()}

    def _variant(self, member: str) -> Model:
        source = msgspec.structs.replace(
            self.card.source,
            member=member,
            sha256=None,
            format="frozen-graph",
            compiled_for=None,
            mode=None,
            variants={},
        )
        return replace(self, card=msgspec.structs.replace(self.card, source=source))

    @property
    def graph(self) -> Path | None:
        """Where the graph that can be converted is put; None for a card that knows none."""
        if self.card.source.format != "tflite":
            return self.download
        graphs = [v.download for v in self.variants.values() if str(v.card.source.member).endswith(".pb")]
        return graphs[0] if graphs else None

    @property
    def converted(self) -> Path:
        """Where `harness convert` puts its result: `file`, or what is compiled to it."""
        suffix = f"_{self.card.source.compiled_for}"
        return self.file.with_name(f"{self.file.stem.removesuffix(suffix)}{self.file.suffix}")

    @property
    def why_missing(self) -> str:
        """Why the file is not on this computer and what to do about it; empty when it is."""
        if self.available:
            return ""
        if self.download is None:
            return f"no such file: {self.file}"
        if self.card.source.format == "tflite":
            return f"not fetched; run `harness models fetch {self.name}`"
        kind, mode = self.card.source.format.replace("-", " "), self.card.source.mode
        if self.card.source.compiled_for and is_file(self.converted):
            return f"{self.converted} is not compiled for the Edge TPU; run `harness edgetpu compile {self.name}`"
        if self.card.source.made_by:
            return f"to be made: {self.card.source.made_by}"
        images = " --representative DIR" if mode == "int8" else ""
        fetch = (
            "" if self.download and is_file(self.download) else f"`harness models fetch {self.name}`, then "
        )
        convert = f"`harness convert {self.name} --mode {mode or 'MODE'}{images}`"
        return f"a {kind}, to be converted to {self.converted}: {fetch}{convert}"

    @property
    def dataset_path(self) -> Path | None:
        """The example dataset of the card, if it names one."""
        if self.card.dataset is None or self.origin is None:
            return None
        return self.origin.parent / self.card.dataset.path


def cache_folder() -> Path:
    """Folder of fetched files: `$HARNESS_CACHE`, else below the user's cache folder."""
    explicit = os.environ.get("HARNESS_CACHE")
    if explicit:
        return expand_user(explicit)
    return expand_user(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "ondevice-harness"


def load_card(path: Path) -> Model:
    """Read one card.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
    """
    card = schema.convert(schema.load_toml(path), ModelCard, path)
    _check(card, path)
    source = card.source
    if source.path is not None:
        return Model(card, path.parent / source.path, origin=path)
    fetched = _file_name(source.member or source.url or "")
    made = f"{card.name}_{source.compiled_for}.tflite" if source.compiled_for else f"{card.name}.tflite"
    name = fetched if source.format == "tflite" else made
    return Model(card, cache_folder() / "models" / card.name / name, origin=path)


def _file_name(address: str) -> str:
    """Return the last part of a URL's path or of an archive member as a plain file name."""
    name = PurePosixPath(urlsplit(address).path).name
    return "model.tflite" if name in {"", ".", ".."} else name


def _check(card: ModelCard, path: Path) -> None:
    """Check what the types alone do not say."""
    schema.check_name(card.name, path)
    _check_source(card.source, path)
    _check_input(card, path)


def _check_source(source: Source, path: Path) -> None:
    if (source.path is None) == (source.url is None):
        raise SchemaError(f"{path}: key 'source': expected exactly one of 'path' and 'url'")
    if source.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", source.sha256):
        expected = "64 lower-case hexadecimal digits"
        raise SchemaError(f"{path}: key 'source.sha256': found {source.sha256!r}, expected {expected}")
    if source.compiled_for is not None and (source.format == "tflite" or source.compiled_for != EDGETPU):
        expected = f"{EDGETPU!r}, beside a 'format' that is to be converted"
        raise SchemaError(
            f"{path}: key 'source.compiled_for': found {source.compiled_for!r}, expected {expected}"
        )
    _check_conversion(source, path)
    if source.url is None:
        if source.member is not None or source.format != "tflite" or source.variants:
            raise SchemaError(
                f"{path}: key 'source': expected 'member' and 'format' only beside 'url', as 'variants'"
            )
        return
    _check_url(source.url, path)
    _check_variants(source, path)
    if source.url.endswith(ARCHIVES) != (source.member is not None):
        expected = f"'member' where, and only where, 'url' is an archive ({', '.join(ARCHIVES)})"
        raise SchemaError(f"{path}: key 'source': expected {expected}")


def _check_conversion(source: Source, path: Path) -> None:
    """Check that what is said of a conversion is said of a graph."""
    graphs = [member for member in source.variants.values() if member.endswith(".pb")]
    if source.mode is not None and source.format == "tflite" and not graphs:
        expected = "it where there is a graph to convert: 'format', or a .pb among 'variants'"
        raise SchemaError(f"{path}: key 'source.mode': found {source.mode!r}, expected {expected}")
    if source.made_by and source.format == "tflite":
        raise SchemaError(
            f"{path}: key 'source.made_by': expected it beside a 'format' that is to be converted"
        )


def _check_variants(source: Source, path: Path) -> None:
    """Check that all members of an archive can lie side by side."""
    members = [source.member or "", *source.variants.values()]
    if source.variants and source.member is None:
        raise SchemaError(f"{path}: key 'source.variants': expected only beside 'member'")
    names = [_file_name(member) for member in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SchemaError(
            f"{path}: key 'source.variants': found {twice[0]!r} twice, expected members with different file names"
        )


def _check_url(url: str, path: Path) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        fits = False
    if not fits:
        expected = "an http:// or https:// address without a user name"
        raise SchemaError(f"{path}: key 'source.url': found {url!r}, expected {expected}")


def _check_input(card: ModelCard, path: Path) -> None:
    if (card.input.mean is None) != (card.input.std is None):
        raise SchemaError(f"{path}: key 'input': expected both 'mean' and 'std', or neither")
    if card.input.std is not None and 0 in card.input.std:
        stds = list(card.input.std)
        raise SchemaError(f"{path}: key 'input.std': found {stds}, expected numbers other than 0")
    if not 0 <= card.input.pad_value <= 255:
        raise SchemaError(f"{path}: key 'input.pad_value': found {card.input.pad_value}, expected 0 to 255")
    if min(card.input.width, card.input.height) < 1:
        found = f"{card.input.width}×{card.input.height}"
        raise SchemaError(f"{path}: key 'input': found {found}, expected a width and a height of at least 1")


def list_cards(workspace: Workspace) -> list[Model]:
    """Return all cards of the workspace, sorted by name.

    Raises:
        SchemaError: A card cannot be read, or two cards have the same name.
    """
    models: dict[str, Model] = {}
    for path in found_in(workspace.models, "*.toml"):
        model = load_card(path)
        if model.name in models:
            other = models[model.name].origin
            raise SchemaError(f"{path}: key 'name': {model.name!r} is also the name in {other}")
        models[model.name] = model
    return sorted(models.values(), key=lambda model: model.name)
