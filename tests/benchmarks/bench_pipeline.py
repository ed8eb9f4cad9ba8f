"""How much of the machine an accuracy run uses.

Ideal images/s = cores / (t_invoke + t_prepare), each measured alone, single-threaded, in this process; reached images/s
is the pipeline's own, in this process too. Also compares t_prepare with Pillow's plain decode + bilinear resize.

    python -m tests.benchmarks.bench_pipeline MODEL.tflite DATASET [--repeat 5]
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image

from harness.accuracy.dataset import find_dataset
from harness.accuracy.interpreters import InterpreterEngine
from harness.accuracy.pipeline import Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.delegates import available_cores
from harness.detectors.registry import make_decoder
from harness.recognize.find import find_model
from harness.runtime import load_runtime, make_interpreter
from harness.worker.tensors import input_infos, output_infos
from harness.workspace import find_workspace


def seconds_an_item(work, items):
    begin = time.perf_counter()
    for item in items:
        work(item)
    return (time.perf_counter() - begin) / len(items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    model, dataset = find_model(options.model, find_workspace()), find_dataset(options.dataset)
    images = [(entry.id, entry.path) for entry in dataset.images]
    images *= -(-200 // len(images))  # enough of them that starting and ending the threads does not count
    cores = available_cores()
    interpreters = [make_interpreter(load_runtime(), str(model.file), "cpu", 1) for _ in range(cores)]
    preparation = Preparation(model.card.input, input_infos(interpreters[0])[0])
    decoder = make_decoder(model.card.decoder, output_infos(interpreters[0]))
    recipe = Recipe(preparation, decoder, model.card.labels)
    engines = [InterpreterEngine(interpreter) for interpreter in interpreters]
    tensors = [preparation.load(path)[0] for _, path in images[:50]]
    size = (model.card.input.width, model.card.input.height)

    def pillow(path: Path) -> None:
        np.asarray(Image.open(path).convert("RGB").resize(size, Image.Resampling.BILINEAR))

    ratios, prepares, invokes, pillows, rates = [], [], [], [], []
    for _ in range(options.repeat):
        t_prepare = seconds_an_item(preparation.load, [path for _, path in images[:50]])
        t_pillow = seconds_an_item(pillow, [path for _, path in images[:50]])
        t_invoke = seconds_an_item(engines[0].infer, tensors)
        begin = time.perf_counter()
        n_images = sum(1 for _ in detect(images, recipe, engines, cores))
        rate = n_images / (time.perf_counter() - begin)
        ratios.append(rate * (t_invoke + t_prepare) / cores)
        prepares.append(t_prepare)
        invokes.append(t_invoke)
        pillows.append(t_prepare / t_pillow)
        rates.append(rate)
    print(f"{model.name} on {dataset.name}, {cores} cores, medians of {options.repeat}:")
    print(
        f"  t_prepare {statistics.median(prepares) * 1e3:.2f} ms, t_invoke {statistics.median(invokes) * 1e3:.2f} ms"
    )
    print(f"  pipeline {statistics.median(rates):.1f} images/s")
    print(
        f"  reached / ideal {statistics.median(ratios):.3f} (range {min(ratios):.3f}–{max(ratios):.3f}; wanted >= 0.90)"
    )
    print(
        f"  t_prepare / Pillow's decode + bilinear {statistics.median(pillows):.3f} (wanted <= 1.0 within noise)"
    )


if __name__ == "__main__":
    main()
