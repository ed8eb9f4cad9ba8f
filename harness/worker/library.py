"""A delegate from a shared library: loaded, applied, and what it took of the graph read before anything else may.

The library has the two entry points of LiteRT's `tflite/delegates/external/external_delegate_interface.h`. It is
foreign code: it may crash or hang at every step, so the parent hears of each step before it is taken.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import Any

from harness.delegates import GPU, NPU, UNKNOWN
from harness.runtime import Runtime, make_interpreter
from harness.worker import evidence
from harness.worker.compiled import CompiledInterpreter, CompileError
from harness.worker.events import Stage, emit
from harness.worker.evidence import Delegation
from harness.worker.gpu import GpuInterpreter
from harness.worker.jobs import COMPILED, Job, is_emulated
from harness.worker.openvino import DEVICES, OpenVinoInterpreter
from harness.worker.results import Execution

ENTRY_POINT = "tflite_plugin_create_delegate"
SAYS_NOTHING = (
    "it does not say why; an accelerator may be held by another program, unplugged, or closed to this user "
    "(`harness doctor`)"
)
DYNAMIC = (
    "the runtime does not say why; without a word it refuses a delegate for static sizes only where the graph has "
    "tensors of dynamic size"
)
RESTORED = "Restored original execution plan after delegate application failure."


class LibraryError(Exception):
    """A delegate's library that cannot be used; the message says what about it."""


@dataclass(frozen=True)
class ReadyInterpreter:
    """An interpreter, ready to run, and what the delegate from the library took.

    Attributes:
        interpreter: Its tensors are allocated.
        delegation: What the library's delegate alone took; None where the runtime does not list its nodes.
        names: Names of the operators that it left, with their counts.
    """

    interpreter: Any
    delegation: Delegation | None = None
    names: dict[str, int] = field(default_factory=dict)


def make(runtime: Runtime, job: Job) -> ReadyInterpreter:
    """Make the interpreter of a job.

    The constructor applies the library's delegate, `allocate_tensors()` the runtime's own XNNPACK to what is left;
    between the two the DELEGATE nodes are the library's alone.

    Raises:
        LibraryError: The library is missing, is no delegate, or refuses.
        ValueError: The model cannot be loaded.
        RuntimeError: The delegate could not prepare the graph, or tensors cannot be allocated.
    """
    if is_emulated(job):
        return _make_emulated(runtime, job)
    if job.delegate in {GPU, NPU}:
        return _make_compiled(runtime, job)
    if job.delegate_library is None:
        return ReadyInterpreter(make_interpreter(runtime, job.model, job.delegate, job.threads))
    library = job.delegate_library
    emit(Stage(f"{library} was being loaded"))
    delegate = load(runtime, library, job.delegate_options)
    interpreter = _apply(runtime, job, library, delegate)
    nodes = evidence.list_nodes(interpreter)
    delegation = None if nodes is None else evidence.count_delegated(nodes)
    emit(Stage(f"memory was being allocated, with the delegate of {library}"))
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        took = (
            "some nodes"
            if delegation is None
            else f"{delegation.delegated_nodes} of {delegation.total_nodes} nodes"
        )
        raise LibraryError(
            f"the delegate of {library} took {took}, and the rest cannot run without it: {_plain(error)}"
        ) from error
    emit(Stage(f"the model was running on the delegate of {library}"))
    return ReadyInterpreter(interpreter, delegation, evidence.operators_left(nodes or ()))


def _make_compiled(runtime: Runtime, job: Job) -> ReadyInterpreter:
    place = "the GPU" if job.delegate == GPU else f"OpenVINO's {openvino_device(job).upper()}"
    emit(Stage(f"LiteRT was compiling the model for {place}"))
    try:
        interpreter = _compile(runtime, job)
    except CompileError as error:
        raise LibraryError(str(error)) from error
    emit(Stage(f"the model was running on {place}"))
    return ReadyInterpreter(interpreter)


def _compile(runtime: Runtime, job: Job) -> CompiledInterpreter:
    if job.delegate == GPU:
        float32 = job.delegate_options.get("precision") == "fp32"
        return GpuInterpreter(runtime, job.model, job.threads, float32)
    return OpenVinoInterpreter(runtime, job.model, job.threads, openvino_device(job))


def openvino_device(job: Job) -> str:
    """Return the device of OpenVINO that a job names, or its NPU."""
    return job.delegate_options.get("device", DEVICES[0])


def _make_emulated(runtime: Runtime, job: Job) -> ReadyInterpreter:
    from harness.npu.htp import NotEmulatedError  # late: the memory of a latency job is the model's
    from harness.worker import emulated

    emit(Stage("the HTP backend was loading the compiled model"))
    compiled = job.delegate_options[COMPILED]
    try:
        emulated.prove(compiled)
        interpreter = emulated.EmulatedInterpreter(runtime, job.model, compiled)
    except NotEmulatedError as error:
        raise LibraryError(str(error)) from error
    emit(Stage("the model was running on the HTP backend"))
    return ReadyInterpreter(interpreter)


def _apply(runtime: Runtime, job: Job, library: str, delegate: Any) -> Any:
    """Make the interpreter, to which the delegate is applied at once."""
    emit(Stage(f"the delegate of {library} was preparing the graph"))
    try:
        return runtime.module.Interpreter(
            model_path=job.model, num_threads=job.threads, experimental_delegates=[delegate]
        )
    except RuntimeError as error:
        raise LibraryError(
            f"the delegate of {library} could not prepare the graph: {_plain(error) or DYNAMIC}"
        ) from error


def load(runtime: Runtime, library: str, options: dict[str, str]) -> Any:
    """Load a library and let it create its delegate.

    Raises:
        LibraryError: Says which step failed, with the loader's or the library's own words.
    """
    try:
        return runtime.module.load_delegate(library, options)
    except OSError as error:
        _forget(runtime, error)
        raise LibraryError(
            f"the library {library} cannot be loaded: {_plain(error)}; check its path, its architecture and the "
            "libraries that it needs (`ldd`)"
        ) from error
    except AttributeError as error:
        _forget(runtime, error)
        raise LibraryError(
            f"the library {library} is no TFLite delegate: it has no entry point {ENTRY_POINT} ({_plain(error)})"
        ) from error
    except (ValueError, RuntimeError) as error:
        _forget(runtime, error)
        reason = _plain(error).removeprefix(f"Failed to load delegate from {library}").strip()
        given = ", ".join(f"{key}={value}" for key, value in options.items()) or "none"
        raise LibraryError(
            f"the library {library} created no delegate (options: {given}): {reason or SAYS_NOTHING}"
        ) from error


def _forget(runtime: Runtime, error: BaseException) -> None:
    """Keep the runtime from destroying a delegate that was never created, which crashes some libraries.

    It does so whenever its object is collected, and that is held by nothing but what was raised.
    """
    raised: BaseException | None = error
    while raised is not None:
        for frame, _ in traceback.walk_tb(raised.__traceback__):
            made = frame.f_locals.get("self")
            if isinstance(made, runtime.module.Delegate) and getattr(made, "_delegate_ptr", None) is None:
                made._library = None
        raised = raised.__context__


def describe(job: Job, applied: ReadyInterpreter) -> Execution:
    """Say what ran: as `evidence.describe`, of the library's delegate where there is one.

    What an accelerator that compiles took stands in its log, which the parent holds.
    """
    if is_emulated(job):
        from harness.worker import emulated  # late: the memory of a latency job is the model's

        return emulated.describe(job)
    if job.delegate == NPU:
        how = f"compiled by LiteRT's plugin for OpenVINO's {openvino_device(job).upper()}"
        nodes = evidence.list_nodes(applied.interpreter)
        return Execution(UNKNOWN, None, None if nodes is None else len(nodes), (how,))
    if job.delegate == GPU:
        allowed = "float32" if job.delegate_options.get("precision") == "fp32" else "float16 where it can"
        how = f"compiled by LiteRT's GPU accelerator, in {allowed}, and timed from host memory to host memory"
        nodes = evidence.list_nodes(applied.interpreter)
        return Execution(UNKNOWN, None, None if nodes is None else len(nodes), (how,))
    whole = evidence.read_delegation(applied.interpreter)
    if job.delegate_library is None:
        return evidence.describe(job.delegate, whole)
    return evidence.describe_library(
        job.delegate, job.delegate_library, applied.delegation, applied.names, whole
    )


def _plain(error: BaseException) -> str:
    """Put the runtime's words on one line; what it says of its clearing up afterwards is no reason."""
    return " ".join(str(error).replace(RESTORED, "").split())
