"""Hold what `harness inspect` forecasts against what the accelerators of this computer really take.

    python -m tests.benchmarks.bench_forecasts [MODEL…]

XNNPACK's nodes are read from LiteRT's interpreter, the GPU's from the log of LiteRT's accelerator, in a process of its
own each, where there is a Vulkan driver (VK_DRIVER_FILES names SwiftShader's), Qualcomm's from the vendor's compiler
where it is installed and its licence was accepted. Without models: the bundled ones, the shared ones, and the bundled
float model by stock recipes of litert-quantizer. A count is `wrong` where the truth lies outside the forecast; `open`
where the rule is not known and the forecast says so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.bench.engines.gpu_log import read_gpu_log, why_refused
from harness.drivers.local_gpu import find_gpu
from harness.npu.compiler import vendor_answer
from harness.npu.vendor import why_missing
from harness.tflite import reader
from harness.tflite.nodes import Node, read_nodes
from harness.tflite.support import litert_gpu, qnn, xnnpack
from harness.tflite.support.predict import predict
from harness.tflite.support.rules import Table
from tests.support.paths import MODELS, SHARED_DATA

RECIPES = (
    "dynamic_wi8_afp32",
    "dynamic_wi4c_afp32",
    "weight_only_wi4_afp32",
    "weight_only_wi8_afp32",
    "dynamic_wi8b32_afp32",
)
ON_GPU = """
import sys
from harness.runtime import load_runtime
from harness.worker.gpu import GpuInterpreter
GpuInterpreter(load_runtime(), sys.argv[1], 1, False)
"""
NO_OPERATIONS = "No operations will run on the GPU"
TIMEOUT_S = 300.0
SOC = "SM8650"


@dataclass(frozen=True)
class Truth:
    """How many operators an accelerator took, in how many partitions where that is told; None where it did not say."""

    taken: int | None
    partitions: int | None = None
    remark: str = ""


def by_xnnpack(path: Path, nodes: tuple[Node, ...]) -> Truth:
    """Ask LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    from harness.worker.evidence import divide_nodes, list_nodes

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    _, parts = divide_nodes(list_nodes(interpreter) or [])
    return Truth(len(set().union(*parts)), len(parts))


def by_gpu(path: Path, nodes: tuple[Node, ...]) -> Truth:
    """Ask LiteRT's accelerator, in a process that may die."""
    ended = subprocess.run(
        [sys.executable, "-c", ON_GPU, str(path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    log = read_gpu_log(ended.stderr)
    if log.adapter is None:
        return Truth(None, None, why_refused(ended.stderr) or "no GPU was found")
    if ended.returncode or NO_OPERATIONS in ended.stderr:
        died = "the process died" if ended.returncode < 0 else "takes nothing"
        return Truth(0, None, why_refused(ended.stderr) or died)
    return Truth(len(nodes) if log.on_gpu is None else log.on_gpu)


def by_qualcomm(path: Path, nodes: tuple[Node, ...]) -> Truth:
    """Ask Qualcomm's compiler."""
    answer = vendor_answer(path, SOC)
    return Truth(None, None, answer) if isinstance(answer, str) else Truth(answer.taken, answer.partitions)


Ask = Callable[[Path, tuple[Node, ...]], Truth]


def accelerators() -> Iterator[tuple[Table, Ask]]:
    """Yield those that this computer has, each with its table."""
    yield xnnpack.TABLE, by_xnnpack
    if not find_gpu().missing:
        yield litert_gpu.TABLE, by_gpu
    if why_missing() is None:
        yield qnn.TABLE, by_qualcomm


def compare(models: Iterable[Path]) -> Iterator[dict[str, str]]:
    """Yield a row a model and accelerator."""
    here = tuple(accelerators())
    for path in models:
        data = reader.read_bytes(path)
        nodes = read_nodes(reader.read_graph(data, path), data, path)
        for table, ask in here:
            yield _row(path, table, nodes, ask(path, nodes))


def _row(path: Path, table: Table, nodes: tuple[Node, ...], truth: Truth) -> dict[str, str]:
    found = predict(nodes, table)
    low, high = len(found.low), len(found.high)
    fits = truth.taken is None or low <= truth.taken <= high
    known = low == high and found.partitions is not None
    same = truth.partitions is None or not known or truth.partitions == found.partitions
    return {
        "model": path.stem,
        "accelerator": f"{table.delegate} ({table.condition})",
        "forecast": f"{low if low == high else f'{low}–{high}'} of {len(nodes)} in {found.partitions}",
        "reality": f"{truth.taken} in {truth.partitions}",
        "verdict": "not asked" if truth.taken is None else _verdict(fits and same, known or low == high),
        "remark": truth.remark,
    }


def _verdict(fits: bool, decided: bool) -> str:
    return "wrong" if not fits else "right" if decided else "open"


def at_hand(folder: Path) -> Iterator[Path]:
    """Yield the models of this checkout, the shared ones, and those that stock recipes make."""
    yield from sorted((MODELS / "shapes").glob("*.tflite"))
    yield from sorted((SHARED_DATA / "models").glob("*.tflite"))
    try:
        from litert_quantizer import quantizer, recipe
    except ImportError:
        return
    for name in RECIPES:
        worker = quantizer.Quantizer(
            str(MODELS / "shapes" / "shapes_float32.tflite"), getattr(recipe, name)()
        )
        made = worker.quantize(enable_progress_bar=False, enable_progress_report=False)
        path = folder / f"{name}.tflite"
        path.write_bytes(bytes(made.quantized_model))
        yield path


def main() -> None:
    """Print the table and the sums."""
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(text) for text in sys.argv[1:]] or at_hand(Path(folder))
        verdicts: Counter[str] = Counter()
        for row in compare(models):
            verdicts[row["verdict"]] += 1
            print("| " + " | ".join(row.values()) + " |", flush=True)
    print(", ".join(f"{verdicts[word]} {word}" for word in ("right", "open", "wrong", "not asked")))


if __name__ == "__main__":
    main()
