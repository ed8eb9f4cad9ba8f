"""Time and memory of compiling for a chip of Qualcomm's and of its emulator, and what more cores bring.

    python -m tests.benchmarks.bench_emulator [--soc SM8650] [--images 40] [MODEL…]

Needs onnxruntime-qnn, which is the user's own, and its licence accepted (`harness npu --accept-vendor-license`). For
each model: operators taken, partitions, seconds and peak memory of the compiler, then images a second of an accuracy
run in one process on one core and on all (wanted on two quiet cores: at least 1.7 times as many).
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from harness.delegates import available_cores
from harness.npu.compiler import compile_for
from harness.rows import frame
from harness.session import carry_out, prepare_asked
from tests.support.observers import Recorder
from tests.support.paths import REPOSITORY

MODELS = [str(REPOSITORY / "models" / f"{name}.toml") for name in ("shapes-full-integer", "shapes-float32")]


def compiled(file: Path, soc: str) -> dict[str, object]:
    """Compile a model, and take the figures of the compiler's process."""
    done = compile_for(file, soc)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "taken": done.taken,
        "of": done.operators,
        "partitions": done.partitions,
        "compile_s": round(done.seconds, 2),
        "peak_so_far_mb": round(peak),
    }


def images_per_second(model: str, soc: str, images: int, cores: set[int]) -> tuple[float, float]:
    """Run a model over images on some cores; images a second, and the run's wall time."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            given = {"device": (f"emulator:qualcomm-{soc}",), "limit": images, "output": folder}
            outcome = carry_out(prepare_asked([model], given), Recorder())
            (row,) = frame.load_results(outcome.folder).to_dict("records")
            return float(row["images_per_second"] or 0), time.perf_counter() - begin
    finally:
        os.sched_setaffinity(0, before)


def main() -> None:
    """Print one line of JSON a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soc", default="SM8650")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("models", nargs="*", default=MODELS)
    options = parser.parse_args()
    from harness.cards import load_card

    everything = os.sched_getaffinity(0)
    for model in options.models:
        file = load_card(Path(model)).file if model.endswith(".toml") else Path(model)
        figures: dict[str, object] = {"model": file.name, "soc": options.soc, **compiled(file, options.soc)}
        one, _ = images_per_second(model, options.soc, options.images, {min(everything)})
        whole, wall = images_per_second(model, options.soc, options.images, everything)
        figures |= {
            "images_per_second_1_core": round(one, 2),
            "images_per_second": round(whole, 2),
            "cores": available_cores(),
            "times": round(whole / one, 2) if one else None,
            "run_s": round(wall, 1),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
