"""Draw the `shapes` detection dataset: the same seed gives the same images and annotations.

Each image has its own random generator, seeded with (seed, split, index): an image does not depend on how
many others are drawn, or in which process, and no two splits share an image. Boxes and areas are COCO's:

- a box is `[x, y, width, height]` in pixels, tight around the pixels whose centre lies inside the shape,
  clipped to the image and *before* occlusion by later shapes;
- `area` is the number of those pixels (the mask's area, not the box's);
- a shape that would leave less than `Recipe.min_visible` of an earlier shape visible is not drawn.

`python -m tests.example_training.draw --out models/shapes/dataset` writes the validation set again.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Canvas = NDArray[np.float32]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Window = tuple[slice, slice]

CATEGORIES = ("circle", "square", "triangle", "star", "cross", "ring")
SPLITS = ("train", "val", "calibration")
SEED = 20240
VAL_IMAGES = 220
CALIBRATION_IMAGES = 200


@dataclass(frozen=True)
class Recipe:
    """What an image may hold; lengths are pixels of the drawn image."""

    min_side: int = 200
    max_side: int = 320
    min_objects: int = 2
    max_objects: int = 7
    # (probability, smallest, largest) length of a shape, for COCO's small, medium and large
    sizes: tuple[tuple[float, int, int], ...] = ((0.25, 22, 40), (0.42, 44, 110), (0.33, 116, 200))
    max_stretch: float = 1.3
    max_outside: float = 0.15
    min_visible: float = 0.6
    min_contrast: float = 70.0
    jpeg_quality: int = 80


@dataclass(frozen=True)
class Shape:
    """A placed shape: `radii` are the half-lengths before the rotation by `angle` radians."""

    category: int
    centre: tuple[float, float]
    radii: tuple[float, float]
    angle: float


@dataclass(frozen=True)
class Scene:
    """An image [h, w, 3] uint8 and its objects; `boxes` [n, 4] are (x, y, width, height) in pixels."""

    image: Pixels
    shapes: tuple[Shape, ...]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]

    @property
    def categories(self) -> NDArray[np.int64]:
        """Return the category ids [n], from 1."""
        return np.array([shape.category for shape in self.shapes], np.int64)


def draw_scene(split: str, index: int, seed: int = SEED, recipe: Recipe | None = None) -> Scene:
    """Draw one image of a split."""
    recipe = recipe or Recipe()
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    height, width = (int(n) for n in rng.integers(recipe.min_side, recipe.max_side + 1, 2))
    canvas = background(rng, height, width)
    for _ in range(int(rng.integers(0, 9))):
        _add_clutter(rng, canvas)
    shapes, masks = _add_objects(rng, canvas, recipe)
    canvas += noise(rng, 5, canvas.shape)
    boxes = np.array([tight_box(mask) for mask in masks], np.int64).reshape(-1, 4)
    areas = np.array([mask.sum() for mask in masks], np.int64)
    return Scene(np.clip(canvas + 0.5, 0, 255).astype(np.uint8), tuple(shapes), boxes, areas)


def tight_box(mask: Bools) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of the true pixels of a mask [h, w]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )


# --- outlines -----------------------------------------------------------------------------------------------

CROSS_ARM = 0.34
RING_HOLE = 0.55
STAR_WAIST = 0.42


def _star() -> Floats:
    turns = np.arange(10) * math.pi / 5
    radius = np.where(np.arange(10) % 2, STAR_WAIST, 1.0)
    return np.stack([radius * np.sin(turns), -radius * np.cos(turns)], axis=1)


def _cross() -> Floats:
    a = CROSS_ARM
    quarter = np.array([[a, -1.0], [a, -a], [1.0, -a]])
    return np.concatenate([quarter @ _rotation(k * math.pi / 2).T for k in range(4)])


def _rotation(angle: float) -> Floats:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


POLYGONS: dict[str, Floats] = {
    "square": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.85,
    "triangle": np.array([[0, -1], [0.92, 0.75], [-0.92, 0.75]]),
    "star": _star(),
    "cross": _cross(),
}


def vertices(shape: Shape) -> Floats:
    """Return a polygonal shape's corners [n, 2] as (x, y)."""
    unit = POLYGONS[CATEGORIES[shape.category - 1]] * np.array(shape.radii)
    return np.asarray(unit @ _rotation(shape.angle).T + np.array(shape.centre))


def window(shape: Shape, height: int, width: int) -> Window:
    """Return the rows and columns of the image that a shape and its near surroundings can reach."""
    reach = math.hypot(*shape.radii) + 4
    cx, cy = shape.centre
    return (
        slice(max(0, int(cy - reach)), min(height, int(cy + reach) + 1)),
        slice(max(0, int(cx - reach)), min(width, int(cx + reach) + 1)),
    )


def distance(shape: Shape, where: Window) -> Floats:
    """Return each pixel centre's distance [h, w] to the outline: negative inside; exact for polygons only."""
    y, x = _centres(where)
    return _distance_at(shape, x, y)


def _centres(where: Window) -> tuple[Floats, Floats]:
    rows, columns = where
    y, x = np.ogrid[rows, columns]
    return y.astype(np.float64) + 0.5, x.astype(np.float64) + 0.5


def _distance_at(shape: Shape, x: Floats, y: Floats) -> Floats:
    if CATEGORIES[shape.category - 1] in POLYGONS:
        return polygon_distance(x, y, vertices(shape))
    cos, sin = math.cos(shape.angle), math.sin(shape.angle)
    dx, dy = x - shape.centre[0], y - shape.centre[1]
    radius = np.hypot((cos * dx + sin * dy) / shape.radii[0], (cos * dy - sin * dx) / shape.radii[1])
    scale = min(shape.radii)
    outer: Floats = (radius - 1) * scale
    if CATEGORIES[shape.category - 1] == "circle":
        return outer
    return np.maximum(outer, (RING_HOLE - radius) * scale)


def polygon_distance(x: Floats, y: Floats, corners: Floats) -> Floats:
    """Return the signed distance of points to a polygon (I. Quilez, "2D distance functions", sdPolygon)."""
    nearest = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf)
    inside = np.zeros(nearest.shape, np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
        along = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, (wx - ex * along) ** 2 + (wy - ey * along) ** 2)
        inside ^= ((ay > y) != (by > y)) & ((ex * wy > ey * wx) == (ey > 0))
    return np.asarray(np.where(inside, -1.0, 1.0) * np.sqrt(nearest))


# --- backgrounds --------------------------------------------------------------------------------------------


def noise(rng: np.random.Generator, largest: float, size: tuple[int, ...]) -> Canvas:
    """Return Gaussian noise whose deviation is at most `largest` grey levels."""
    return rng.standard_normal(size, np.float32) * np.float32(rng.uniform(0, largest))


def background(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Return a textured background [h, w, 3]: two colours mixed by one of `TEXTURES`, and fine noise."""
    texture = TEXTURES[int(rng.integers(len(TEXTURES)))](rng, height, width)
    first = rng.uniform(20, 235, 3)
    second = np.clip(first + rng.uniform(-70, 70, 3), 0, 255)
    mixed = (first + (second - first) * texture[..., None]).astype(np.float32)
    return mixed + noise(rng, 6, (height, width, 1))


def _ramp(rng: np.random.Generator, height: int, width: int) -> Floats:
    angle = rng.uniform(0, 2 * math.pi)
    return math.cos(angle) * np.arange(width)[None] + math.sin(angle) * np.arange(height)[:, None]


def _gradient(rng: np.random.Generator, height: int, width: int) -> Floats:
    ramp = _ramp(rng, height, width)
    return np.asarray((ramp - ramp.min()) / (ramp.max() - ramp.min()))


def _stripes(rng: np.random.Generator, height: int, width: int) -> Floats:
    wave = np.sin(_ramp(rng, height, width) * 2 * math.pi / rng.uniform(8, 60))
    return np.asarray(np.clip(wave * rng.uniform(0.6, 4), -1, 1) / 2 + 0.5)


def _checker(rng: np.random.Generator, height: int, width: int) -> Floats:
    cell = int(rng.integers(6, 40))
    y, x = np.ogrid[:height, :width]
    return np.asarray(((y // cell + x // cell) % 2) * rng.uniform(0.3, 0.8))


def _clouds(rng: np.random.Generator, height: int, width: int) -> Floats:
    cells = int(rng.integers(3, 24))
    coarse = Image.fromarray(rng.uniform(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)


TEXTURES: tuple[Callable[[np.random.Generator, int, int], Floats], ...] = (
    _gradient,
    _stripes,
    _checker,
    _clouds,
)


def _add_clutter(rng: np.random.Generator, canvas: Canvas) -> None:
    """Add something that is no object: a thin line, a bent line or a wide band."""
    height, width, _ = canvas.shape
    kind = int(rng.integers(3))
    points = rng.uniform(0, 1, (3, 2)) * (width, height)
    thickness = rng.uniform(10, 30) if kind == 2 else rng.uniform(0.8, 3)
    colour, opacity = rng.uniform(0, 255, 3), rng.uniform(0.3, 0.9)
    for start in range(2 if kind == 1 else 1):
        _draw_line(canvas, points[start : start + 2], thickness, colour, opacity)


def _draw_line(canvas: Canvas, ends: Floats, thickness: float, colour: Floats, opacity: float) -> None:
    a, b = ends
    low = np.maximum(np.minimum(a, b) - thickness - 2, 0).astype(int)
    high = np.minimum(np.maximum(a, b) + thickness + 2, canvas.shape[1::-1]).astype(int)
    where = (slice(low[1], high[1]), slice(low[0], high[0]))
    y, x = _centres(where)
    alpha = np.clip(thickness + 0.5 - _segment_distance(x, y, a, b), 0, 1)[..., None] * opacity
    canvas[where] += alpha * (colour - canvas[where])


def _segment_distance(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats:
    ex, ey = b - a
    along = np.clip(((x - a[0]) * ex + (y - a[1]) * ey) / (ex * ex + ey * ey + 1e-9), 0, 1)
    return np.asarray(np.hypot(x - a[0] - ex * along, y - a[1] - ey * along))


# --- objects ------------------------------------------------------------------------------------------------


def _add_objects(rng: np.random.Generator, canvas: Canvas, recipe: Recipe) -> tuple[list[Shape], list[Bools]]:
    """Paint shapes on the canvas, later ones over earlier ones, and return those painted with their masks."""
    height, width, _ = canvas.shape
    shapes: list[Shape] = []
    masks: list[Bools] = []
    visible: list[Bools] = []
    for _ in range(int(rng.integers(recipe.min_objects, recipe.max_objects + 1))):
        shape = place(rng, height, width, recipe)
        where = window(shape, height, width)
        away = distance(shape, where)
        mask = np.zeros((height, width), np.bool_)
        mask[where] = away < 0
        left = [seen & ~mask for seen in visible]
        hides = any(v.sum() < recipe.min_visible * m.sum() for v, m in zip(left, masks, strict=True))
        if hides or mask.sum() < 40:
            continue
        _paint(rng, canvas[where], away, shape, recipe)
        shapes.append(shape)
        masks.append(mask)
        visible = [*left, mask]
    return shapes, masks


def place(rng: np.random.Generator, height: int, width: int, recipe: Recipe) -> Shape:
    """Choose a category, size, stretch, rotation and position."""
    shares = np.array([share for share, _, _ in recipe.sizes])
    _, low, high = recipe.sizes[int(rng.choice(len(shares), p=shares / shares.sum()))]
    high = min(high, int(0.9 * min(height, width)))
    half = math.exp(rng.uniform(math.log(low), math.log(high))) / 2
    stretch = math.exp(rng.uniform(-1, 1) * math.log(recipe.max_stretch) / 2)
    margin = half * (1 - 2 * recipe.max_outside)
    centre = (rng.uniform(margin, width - margin), rng.uniform(margin, height - margin))
    category = int(rng.integers(len(CATEGORIES))) + 1
    return Shape(category, centre, (half * stretch, half / stretch), rng.uniform(0, 2 * math.pi))


def _paint(rng: np.random.Generator, canvas: Canvas, away: Floats, shape: Shape, recipe: Recipe) -> None:
    """Paint one shape: a shaded fill, sometimes a rim of another colour; its edge is antialiased."""
    near = (away > -1) & (away < 4)
    colour = _contrasting(rng, canvas[near].mean(axis=0), recipe.min_contrast)
    shade = _gradient(rng, *away.shape)[..., None] - 0.5
    fill = colour + shade * rng.uniform(-90, 90)
    if rng.random() < 0.3:
        rim = max(1.5, 0.08 * min(shape.radii))
        edge = np.clip(away + rim + 0.5, 0, 1)[..., None]
        fill = fill + edge * (np.clip(colour * rng.uniform(0.35, 0.75), 0, 255) - fill)
    alpha = np.clip(0.5 - away, 0, 1)[..., None]
    canvas += alpha * (fill - canvas)


def _contrasting(rng: np.random.Generator, behind: Floats, least: float) -> Floats:
    """Return a colour at least `least` from that behind it: an unseen object is a wrong annotation."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if float(np.abs(colour - behind).max()) >= least:
            return colour


# --- files --------------------------------------------------------------------------------------------------


def jpeg(image: Pixels, recipe: Recipe | None = None) -> bytes:
    """Encode an image [h, w, 3] as it is stored."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=(recipe or Recipe()).jpeg_quality, optimize=True)
    return buffer.getvalue()


def coco_document(scenes: list[Scene], seed: int = SEED) -> dict[str, Any]:
    """Return the COCO annotation document of a validation set."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes, start=1):
        height, width, _ = scene.image.shape
        name = f"{number:06d}.jpg"
        images.append({"id": number, "file_name": name, "width": width, "height": height, "license": 1})
        for category, box, area in zip(scene.categories, scene.boxes, scene.areas, strict=True):
            annotation = {"id": len(annotations) + 1, "image_id": number, "category_id": int(category)}
            box_and_area = {"bbox": [int(v) for v in box], "area": int(area), "iscrowd": 0}
            annotations.append(annotation | box_and_area)
    return _headings(seed) | {"images": images, "annotations": annotations}


def _headings(seed: int) -> dict[str, Any]:
    info = {
        "description": "shapes: drawn images for trying an object detector without a download",
        "contributor": "generated by harness.example.draw",  # where this was: the stored file keeps its hash
        "seed": seed,
        "version": "1",
        "year": 2026,
    }
    url = "https://creativecommons.org/publicdomain/zero/1.0/"
    categories = [
        {"id": number, "name": name, "supercategory": "shape"}
        for number, name in enumerate(CATEGORIES, start=1)
    ]
    return {"info": info, "licenses": [{"id": 1, "name": "CC0-1.0", "url": url}], "categories": categories}


def write_dataset(folder: Path, count: int = VAL_IMAGES, seed: int = SEED) -> None:
    """Write `instances_val.json` and `images/*.jpg` of the validation split."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    scenes = [draw_scene("val", index, seed) for index in range(count)]
    document = coco_document(scenes, seed)
    for entry, scene in zip(document["images"], scenes, strict=True):
        (folder / "images" / entry["file_name"]).write_bytes(jpeg(scene.image))
    (folder / "instances_val.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


def main(argv: list[str] | None = None) -> None:
    """Write the validation set to a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.example_training.draw", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--count", type=int, default=VAL_IMAGES, help="number of images")
    options = parser.parse_args(argv)
    write_dataset(options.out, options.count)


if __name__ == "__main__":
    main()
