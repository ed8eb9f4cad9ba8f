"""Pixels → a model's input: by looking up a table of 256 levels, as it was done before, and as it is done now.

    python -m tests.benchmarks.bench_prepare [IMAGES_FOLDER] [--rounds 20]

Both sides take the same pixels in turn; printed are CPU milliseconds an image, the ratio, and whether all bits are
equal. With a folder, also what preparing an image of it for an SSD of 300 × 300 takes, of which decoding the JPEG and
resizing with Pillow stay as they are: no other decoder or filter gives the same bits.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from harness.accuracy.image_files import read_image
from harness.accuracy.pixel_values import values_by

LEVELS = np.arange(256)
CASES = {
    "float32, mean 0, std 255, 640 × 640": (640, (0.0,) * 3, (255.0,) * 3),
    "float32, mean and std 127.5, 300 × 300": (300, (127.5,) * 3, (127.5,) * 3),
    "float32, a mean a channel, 512 × 512": (512, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0)),
    "float32, ImageNet's, 512 × 512": (512, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}


def main() -> int:
    """Print a line a case, and fail where bits differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    unequal = [name for name, given in CASES.items() if not case(name, *given, options.rounds)]
    if options.folder:
        files = sorted(options.folder.rglob("*.jpg"))[:40]
        reading(files)
        whole(files)
    return 1 if unequal else 0


def case(name: str, side: int, mean: tuple, std: tuple, rounds: int) -> bool:
    """Measure one kind of input."""
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    table = ((LEVELS - np.array(mean)[:, None]) / np.array(std)[:, None]).astype(np.float32)
    table = table[0] if (table == table[:1]).all() else table
    values = values_by(table, mean, std)

    def looked_up() -> np.ndarray:
        if table.ndim == 1:
            return table[pixels]
        return np.stack([table[c][pixels[:, :, c]] for c in range(3)], axis=-1)

    before, after = in_turn(looked_up, lambda: values(pixels), rounds)
    equal = looked_up().tobytes() == np.ascontiguousarray(values(pixels)).tobytes()
    bits = "bits equal" if equal else "bits DIFFER"
    print(f"{name:44} table {before:6.2f} ms   now {after:6.2f} ms   ratio {after / before:.2f}   {bits}")
    return equal


def in_turn(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the least CPU milliseconds of both, taken in turn."""
    least = [float("inf")] * 2
    for _ in range(rounds):
        for number, work in enumerate((first, second)):
            begin = time.process_time()
            work()
            least[number] = min(least[number], time.process_time() - begin)
    return least[0] * 1e3, least[1] * 1e3


def reading(files: list[Path]) -> None:
    """Measure decoding alone, and reading as the harness does."""
    contents = [file.read_bytes() for file in files]
    decode, read = in_turn(
        lambda: [Image.open(io.BytesIO(data)).load() for data in contents],
        lambda: [read_image(file) for file in files],
        3,
    )
    print(
        f"an image of {len(files)}: decoding alone {decode / len(files):.2f} ms, read {read / len(files):.2f} ms"
    )


def whole(files: list[Path]) -> None:
    """Measure preparing for an SSD, and what it takes where pixels become values in no time."""
    side, mean, std = CASES["float32, mean and std 127.5, 300 × 300"]
    table = ((LEVELS - mean[0]) / std[0]).astype(np.float32)
    values = values_by(table, mean, std)

    def prepare(turn: Callable[[np.ndarray], np.ndarray]) -> None:
        for file in files:
            turn(np.asarray(read_image(file).resize((side, side), Image.Resampling.BILINEAR)))

    before, after = in_turn(lambda: prepare(lambda pixels: table[pixels]), lambda: prepare(values), 5)
    least, _ = in_turn(lambda: prepare(lambda pixels: pixels), lambda: None, 5)
    ms = [milliseconds / len(files) for milliseconds in (before, after, least)]
    print(
        f"SSD, 300 × 300: by a table {ms[0]:.2f} ms, so {ms[1]:.2f} ms, ratio of the whole {ms[1] / ms[0]:.2f}; "
        f"decoding and resizing, which stay, {ms[2]:.2f} ms, so at best {ms[2] / ms[0]:.2f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
