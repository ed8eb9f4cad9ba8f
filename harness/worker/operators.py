"""Record how long each operator of a model takes, with the profiler of LiteRT's compiled models.

The kernels are those that are timed (XNNPACK for `cpu`, the builtin ones for `cpu-reference`), but the profiler adds to
every operator, so nothing of this is the model's latency.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from harness.delegates import CPU, CPU_REFERENCE
from harness.paths import is_file
from harness.runtime import Runtime
from harness.worker.events import Stage, emit
from harness.worker.jobs import OperatorsJob
from harness.worker.litert_c import LIBRARY, LiteRtError, ProfiledModel
from harness.worker.results import OperatorsResult, write_result

KERNELS = {CPU: "delegate", CPU_REFERENCE: "builtin"}
"""`kernel_mode` of LiteRT's CPU accelerator."""
WARM_UP = 5


def run(job: OperatorsJob, runtime: Runtime) -> None:
    """Carry out the job and leave `result.json` in its output folder.

    Raises:
        RuntimeError: This runtime has no profiler.
    """
    library = Path(runtime.module.__file__).parent / LIBRARY
    if not is_file(library):
        raise RuntimeError(f"{runtime} has no operator profiler: it takes ai-edge-litert 2.3 or later")
    emit(Stage("LiteRT's profiler was recording operators"))
    try:
        text, n = _record(job, library)
    except (LiteRtError, AttributeError) as error:
        raise RuntimeError(f"the operator profiler of {runtime} cannot be used: {error}") from error
    write_result(OperatorsResult(f"{runtime}, compiled model", n, text), job.output)


def _record(job: OperatorsJob, library: Path) -> tuple[str, int]:
    """Return LiteRT's summary and the number of inferences that it is of."""
    options = f'num_threads = {job.threads}\nkernel_mode = "{KERNELS[job.delegate]}"\n'
    model = ProfiledModel(library, job.model, options)
    images = [] if job.inputs is None else list(np.load(job.inputs, allow_pickle=False))
    for k in range(WARM_UP):
        _feed(model, images, k)
        model.run()
    n, end = 0, time.monotonic() + job.min_seconds
    model.start()
    while n < job.min_runs or time.monotonic() < end:
        _feed(model, images, n)
        model.run()
        n += 1
    return model.stop(), n


def _feed(model: ProfiledModel, images: list[np.ndarray], turn: int) -> None:
    if images:
        model.set_input(0, images[turn % len(images)].tobytes())
