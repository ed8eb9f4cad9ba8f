"""Time and memory of compiling for a chip of Qualcomm's and of its emulator, and what more cores bring.

    python -m tests.benchmarks.bench_emulator [--soc SM8650] [--inferences 4] [MODEL…]

Needs onnxruntime-qnn, which is the user's own, and its licence accepted (`harness npu --accept-vendor-license`). One
line of JSON a model: what the compiler takes, its wall and CPU seconds and its peak memory; then, for one process on
one core, one on all cores and one for each core (as an accuracy run has them), inferences a second, CPU seconds an
inference and the peak memory of a process. On a busy computer the CPU seconds hold, and the others do not. Wanted on
two quiet cores: a process for each is at least 1.7 times as fast as one of them on its core.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from harness.delegates import CPU
from harness.npu.compiler import compile_for
from harness.runtime import load_runtime, make_interpreter
from harness.worker.emulator_process import EmulatorProcess, emulator_processes
from harness.worker.jobs import COMPILED, AccuracyJob
from tests.support.paths import REPOSITORY

SHAPES = REPOSITORY / "models" / "shapes"
MODELS = [str(SHAPES / f"shapes_{name}.tflite") for name in ("full_integer", "float32")]
TICKS = os.sysconf("SC_CLK_TCK")


def compiled(file: Path, soc: str, output: Path) -> dict[str, object]:
    """Compile a model; the figures of the compiler's process, the first child of this one."""
    done = compile_for(file, soc, output)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "taken": done.taken,
        "of": done.operators,
        "partitions": done.partitions,
        "compile_s": round(done.seconds or 0, 2),
        "compile_cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "compile_peak_mb": round(used.ru_maxrss / 1024),
    }


def emulated(job: AccuracyJob, processes: int, inferences: int, cores: set[int]) -> dict[str, float]:
    """Run so many inferences in each of some processes on some cores."""
    before, image = os.sched_getaffinity(0), _image(Path(job.model))
    os.sched_setaffinity(0, cores)
    try:
        with emulator_processes(job, processes) as started, ThreadPoolExecutor(processes) as threads:
            list(threads.map(lambda one: one.infer(image), started))
            used, begin = sum(map(_cpu_s, started)), time.perf_counter()
            list(threads.map(lambda one: [one.infer(image) for _ in range(inferences)], started))
            wall, total = time.perf_counter() - begin, inferences * len(started)
            return {
                "processes": len(started),
                "cores": len(cores),
                "per_s": round(total / wall, 3),
                "cpu_s": round((sum(map(_cpu_s, started)) - used) / total, 3),
                "peak_mb": max(map(_peak_mb, started)),
            }
    finally:
        os.sched_setaffinity(0, before)


def _image(file: Path) -> np.ndarray:
    first = make_interpreter(load_runtime(), str(file), CPU, 1).get_input_details()[0]
    return np.random.default_rng(0).integers(0, 100, first["shape"]).astype(first["dtype"])


def _cpu_s(process: EmulatorProcess) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _peak_mb(process: EmulatorProcess) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def measure(file: Path, soc: str, inferences: int) -> dict[str, object]:
    """Compile and emulate one model; in a process of its own, since the memory of children is their peak so far."""
    everything = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "compiled.tflite")
        figures: dict[str, object] = {"model": file.name, "soc": soc, **compiled(file, soc, made)}
        job = AccuracyJob(str(file), "npu", 1, delegate_options={COMPILED: str(made)})
        one_core = emulated(job, 1, inferences, {min(everything)})
        one = emulated(job, 1, inferences, everything)
        whole = emulated(job, len(everything), inferences, everything)
    return figures | {
        "one_on_one_core": one_core,
        "one": one,
        "all": whole,
        "times_one_core": round(whole["per_s"] / one_core["per_s"], 2),
        "times_one": round(whole["per_s"] / one["per_s"], 2),
    }


def main() -> None:
    """Print one line of JSON a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soc", default="SM8650")
    parser.add_argument("--inferences", type=int, default=4)
    parser.add_argument("--here", action="store_true", help="measure the one model in this process")
    parser.add_argument("models", nargs="*", default=MODELS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(Path(options.models[0]), options.soc, options.inferences)), flush=True)
        return
    settings = ["--soc", options.soc, "--inferences", str(options.inferences), "--here"]
    for model in options.models:
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.bench_emulator", *settings, model], check=True
        )


if __name__ == "__main__":
    main()
