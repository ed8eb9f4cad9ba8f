"""Simple statistics of images: what the checks of representative data compare."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.paths import content_of

SIDE = 32
HASH_SIDE = 16
GREY_DIFFERENCE = 2.0
"""Mean difference of the channels, in steps of 256, up to which an image counts as grey (JPEG keeps no exact one)."""
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's mode L
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one image.

    Attributes:
        name: Its file's name.
        digest: Hash of its content.
        fingerprint: Bits of a difference hash; near-duplicates differ in few. None for a flat image.
        width: In pixels.
        height: In pixels.
        channels: Mean of its three channels, 0…255.
        luma: Mean brightness, 0…255.
        contrast: Standard deviation of the brightness.
        grain: The same before the image is shrunk to compare it with others.
        grey: Whether the channels are equal.
        smoothness: Correlation of neighbouring places' brightness: near 1 in pictures of anything, 0 in random numbers.
        problem: Why it cannot be read; None when it can, and only then the other numbers mean something.
    """

    name: str
    digest: str
    fingerprint: npt.NDArray[np.uint8] | None = None
    width: int = 0
    height: int = 0
    channels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    luma: float = 0.0
    contrast: float = 0.0
    grain: float = 0.0
    grey: bool = False
    smoothness: float = 1.0
    problem: str | None = None


EVEN = 1e-6
"""Power of the brightness below which there is nothing to correlate."""
FLAT = 3.0
"""Contrast below which an image shows nothing; its difference hash is noise."""


def of_files(files: Iterable[Path]) -> list[ImageFacts]:
    """Return the facts of image files, in order."""
    return [of_file(path) for path in files]


def of_file(path: Path) -> ImageFacts:
    """Read one image file; a damaged one has a `problem`."""
    try:
        content = content_of(path)
        size = read_header(path).upright
        whole = read_image(path, near=SIDE * 4)
        small = whole.resize((SIDE, SIDE), Image.Resampling.BOX)
    except OSError as error:
        return ImageFacts(path.name, "", problem=str(error))
    except UnreadableImageError as error:
        return ImageFacts(path.name, "", problem=error.why)
    grain = float(np.asarray(whole.convert("L")).std())
    digest = hashlib.sha256(content).hexdigest()
    return _facts(path.name, digest, size, np.asarray(small, np.float64), grain)


def of_arrays(
    names: Iterable[str], values: npt.NDArray[np.generic], low: float, high: float
) -> list[ImageFacts]:
    """Return the facts of prepared inputs [N, H, W, 3], with `low`…`high` taken for the pixels 0…255."""
    width = high - low or 1.0
    return [
        _of_pixels(name, value, (np.nan_to_num(value.astype(np.float64)) - low) * (255.0 / width))
        for name, value in zip(names, values, strict=True)
    ]


def _of_pixels(name: str, value: npt.NDArray[np.generic], pixels: _Floats) -> ImageFacts:
    digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    grain = float((pixels @ LUMA if pixels.shape[-1] == 3 else pixels[..., 0]).std())
    return _facts(name, digest, (value.shape[1], value.shape[0]), _shrunk(pixels), grain)


def _shrunk(pixels: _Floats) -> _Floats:
    """Average to at most SIDE × SIDE."""
    rows = np.array_split(pixels, min(SIDE, pixels.shape[0]), axis=0)
    columns = np.stack([row.mean(axis=0) for row in rows])
    return np.stack(
        [part.mean(axis=1) for part in np.array_split(columns, min(SIDE, columns.shape[1]), axis=1)], axis=1
    )


def _facts(name: str, digest: str, size: tuple[int, int], pixels: _Floats, grain: float) -> ImageFacts:
    colour = pixels if pixels.shape[-1] == 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    luma = colour @ LUMA
    contrast = float(luma.std())
    red, green, blue = (float(value) for value in colour.mean(axis=(0, 1)))
    return ImageFacts(
        name=name,
        digest=digest,
        fingerprint=None if contrast < FLAT else _difference_hash(luma),
        width=size[0],
        height=size[1],
        channels=(red, green, blue),
        luma=float(luma.mean()),
        contrast=contrast,
        grain=grain,
        grey=bool(np.abs(colour - colour.mean(axis=-1, keepdims=True)).mean() < GREY_DIFFERENCE),
        smoothness=_smoothness(luma),
    )


def _smoothness(luma: _Floats) -> float:
    """Return the correlation of each place with its right neighbour; 1 for an even image."""
    first, second = luma[:, :-1] - luma[:, :-1].mean(), luma[:, 1:] - luma[:, 1:].mean()
    power = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / power**0.5) if power > EVEN else 1.0


def _difference_hash(luma: _Floats) -> npt.NDArray[np.uint8]:
    """Return whether each place is darker than its right neighbour (dHash, Krawetz 2013), 16 × 16 bits packed."""
    image = Image.fromarray(np.clip(luma, 0, 255).astype(np.uint8))
    small = np.asarray(image.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX), np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def near_pairs(facts: Iterable[ImageFacts], most_bits: int) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, of different files whose hashes differ in at most `most_bits` bits."""
    entries = [(index, fact) for index, fact in enumerate(facts) if fact.fingerprint is not None]
    if len(entries) < 2:
        return []
    hashes = np.stack([fact.fingerprint for _, fact in entries if fact.fingerprint is not None])
    bits = np.unpackbits(hashes, axis=1).astype(np.int32)
    ones = bits.sum(axis=1)
    pairs = []
    for row in range(len(entries) - 1):
        rest = slice(row + 1, None)
        distance = ones[row] + ones[rest] - 2 * (bits[rest] @ bits[row])
        for offset in np.flatnonzero(distance <= most_bits):
            (i, first), (j, second) = entries[row], entries[row + 1 + int(offset)]
            if first.digest != second.digest:
                pairs.append((i, j))
    return pairs
