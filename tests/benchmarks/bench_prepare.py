"""Pixels → a model's input: by looking up a table of 256 levels, as it was done before, and as it is done now.

    python -m tests.benchmarks.bench_prepare [IMAGES_FOLDER] [--rounds 20]

Both sides take the same pixels in turn; printed are CPU milliseconds an image, the ratio, and whether all bits are
equal. With a folder, also what preparing an image of it for an SSD of 300 × 300 takes, and the limit: decoding the JPEG
and resizing. Other decoders, where they are installed, are held against Pillow's: OpenCV's, simplejpeg's and
imagecodecs' give the same pixels, for all are libjpeg-turbo, but not as an image that Pillow resizes. Nothing but
Pillow's own resizing gives its bits.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

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
        decoders(files)
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


def decoders(files: list[Path]) -> None:
    """Measure decoding alone and up to the resized picture, with Pillow and with each other decoder in turn."""
    contents = [file.read_bytes() for file in files]
    for name, decode in installed():
        pairs = [(np.asarray(pillow(data)), decode(data)) for data in contents]
        equal = sum(np.array_equal(*pair) for pair in pairs)
        decoding = ratio(decode, pillow, contents)
        both = ratio(partial(resized, decode), partial(resized, pillow), contents)
        print(
            f"{name}: pixels equal in {equal} of {len(files)}, decoding {decoding:.2f} of Pillow's time, "
            f"decoding and resizing {both:.2f}"
        )


def installed() -> Iterator[tuple[str, Callable[[bytes], Any]]]:
    """Yield the other decoders that there are: a function from a file's bytes to pixels [H, W, 3]."""
    with contextlib.suppress(ImportError):
        cv2 = import_module("cv2")
        cv2.setNumThreads(1)
        yield "OpenCV", lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    with contextlib.suppress(ImportError):
        simplejpeg = import_module("simplejpeg")
        yield "simplejpeg", lambda data: simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False)
    with contextlib.suppress(ImportError):
        imagecodecs = import_module("imagecodecs")
        yield "imagecodecs", lambda data: imagecodecs.jpeg8_decode(data, outcolorspace="RGB")


def pillow(data: bytes) -> Image.Image:
    """Decode with Pillow, as RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def resized(decode: Callable[[bytes], Any], data: bytes) -> Image.Image:
    """Decode and resize for an SSD; pixels become an image of Pillow's first."""
    found = decode(data)
    image = found if isinstance(found, Image.Image) else Image.fromarray(found)
    return image.resize((300, 300), Image.Resampling.BILINEAR)


def ratio(work: Callable[[bytes], object], to: Callable[[bytes], object], contents: list[bytes]) -> float:
    """Return the time of one way to that of another, with all files, holding one result at a time."""
    ours, other = in_turn(lambda: deque(map(to, contents), 0), lambda: deque(map(work, contents), 0), 3)
    return other / ours


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
        f"decoding and resizing, which stay, {ms[2]:.2f} ms: the limit is {ms[2] / ms[0]:.2f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
