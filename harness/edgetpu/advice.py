"""What a compiler's log means, and what to do about it.

Sources: Coral's «TensorFlow models on the Edge TPU» and «Edge TPU Compiler» (coral.ai/docs/edgetpu), and what the
maintainers answered in the issues of google-coral/edgetpu that stand beside each sentence.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.edgetpu.log import CompilerLog, ModelLog, Row

FLOAT_ISLANDS = 3
"""So many DEQUANTIZE are more than the ones before PostProcess's two inputs."""

STATUSES: tuple[tuple[str, str], ...] = (
    # beginning of the status, what it means and what to do
    (
        "operation is working on an unsupported data type",
        "its tensors are not 8-bit: quantize the whole model (`harness quantize --mode int8`), inputs and outputs too",
    ),
    (
        "more than one subgraph is not supported",
        "they could run there, but come after an operator that cannot: the compiler cuts the graph once (edgetpu#461). "
        "Replace the first operator with another status; `-a` maps them in parts, which is seldom faster",
    ),
    (
        "operation is otherwise supported, but not mapped due to some unspecified limitation",
        "the operator is supported, this use of it is not: too large a tensor, a batch above 1, or at the edge of the "
        "graph, where a QUANTIZE costs little",
    ),
    (
        "operation not supported",
        "the Edge TPU has no such operator: use another one, such as RELU in the place of LEAKY_RELU",
    ),
    (
        "operation version not supported",
        "the converter wrote a newer version of the operator than the compiler knows: convert with an older TensorFlow",
    ),
    (
        "tensor has unsupported rank",
        "only the 3 innermost dimensions may be above 1: reshape before, or keep the batch at 1 (edgetpu#75)",
    ),
    (
        "filter, bias, or other param is not constant at compile-time",
        "weights that are computed in the graph: fold them into constants (edgetpu#25)",
    ),
    (
        "for example, a fully-connected or softmax layer with 2d output",
        "only one dimension of the output may be above 1 (edgetpu#27)",
    ),
)

POSTPROCESS_EXPECTED = (
    "expected: TFLite_Detection_PostProcess works on floats and always runs on the CPU; nothing need be done"
)
PROBLEM_ADVICE: tuple[tuple[str, str], ...] = (
    ("model not quantized", "quantize it fully: `harness quantize MODEL --mode int8 --representative DIR`"),
    (
        "internal compiler error",
        "the compiler crashed: try `--min-runtime 13`, a smaller input, or leave `-a` out",
    ),
    ("large activation tensors", "a tensor does not fit the chip: make the input smaller (`harness resize`)"),
    ("timed out", "give it more time with `--timeout`"),
)


def meaning_of(row: Row) -> str | None:
    """Say what a row's status means and what to do; None for a mapped one and for words that are not known."""
    status = row.status.lower()
    if row.operator == "CUSTOM" and status.startswith(STATUSES[0][0]):
        return POSTPROCESS_EXPECTED
    if row.operator == "DEQUANTIZE" and row.count < FLOAT_ISLANDS and status.startswith(STATUSES[0][0]):
        return "expected: it makes the floats that PostProcess or the caller takes"
    return next((meaning for beginning, meaning in STATUSES if status.startswith(beginning)), None)


def advice(log: CompilerLog, model: ModelLog) -> list[str]:
    """Return what is worth knowing of one model, the gravest first."""
    return list(dict.fromkeys([*_of_problems(log), *_of_graph(model), *_of_memory(model), *_of_rows(model)]))


def _of_problems(log: CompilerLog) -> Iterator[str]:
    for line in log.problems:
        remedy = next((text for key, text in PROBLEM_ADVICE if key in line.lower()), None)
        yield f"{line}: {remedy}" if remedy else line


def _of_graph(model: ModelLog) -> Iterator[str]:
    if model.subgraphs == 0 or model.mapped == 0:
        yield "nothing runs on the Edge TPU: the compiled file would only be slower"
    elif model.subgraphs is not None and model.subgraphs > 1:
        yield (
            f"{model.subgraphs} subgraphs: between them every tensor goes to the CPU and back. More operators on the "
            "TPU is not always faster: in edgetpu#342 85 mapped with -a took ten times as long as 2: measure both"
        )
    islands = sum(row.count for row in model.rows if row.operator == "DEQUANTIZE")
    if islands >= FLOAT_ISLANDS:
        yield (
            f"{islands} DEQUANTIZE: islands of float in the graph, each a way to the CPU; `harness inspect` lists what "
            "lies in them"
        )


def _of_memory(model: ModelLog) -> Iterator[str]:
    if model.off_chip_bytes:
        yield (
            f"{units.size(model.off_chip_bytes)} of parameters do not fit the chip and are sent anew for every "
            "inference: a smaller model, or `--segments` over several TPUs"
        )


def _of_rows(model: ModelLog) -> Iterator[str]:
    counted = sum(row.count for row in model.rows)
    if model.rows and model.operations is not None and counted != model.operations:
        yield f"the table holds {counted} of {model.operations} operators: it is not whole"
    for row in model.rows:
        meaning = meaning_of(row)
        if meaning is not None:
            yield f"{row.operator} ×{row.count} ({row.status}): {meaning}"
