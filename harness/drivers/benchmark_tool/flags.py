"""The command line of benchmark_model: one table a flavour from a delegate's configuration to flags.

Sources: tflite/tools/delegates/*_provider.cc and tflite/tools/benchmark/README.md for the flavour tflite,
litert/tools/benchmark_litert_model.{h,cc} for litert. The tool takes `--flag=value` only and passes over a flag that it
does not know with a warning, so nothing is sent that is not in these tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.delegates import (
    CPU,
    CPU_REFERENCE,
    EDGETPU,
    EXTERNAL,
    GPU,
    HEXAGON,
    KINDS,
    NNAPI,
    NPU,
    OPTION,
    QNN,
    Delegate,
)
from harness.drivers.benchmark_tool.facts import Flavour
from harness.errors import UsageError

Row = tuple[str, str, tuple[str, ...]]

TFLITE: tuple[Row, ...] = (
    # delegate       setting            flags; {value} is the setting's, {library} and {folder} lie on the device
    (CPU, "", ("--use_xnnpack=true",)),
    (CPU_REFERENCE, "", ("--use_xnnpack=false",)),
    (GPU, "", ("--use_gpu=true",)),
    (GPU, "precision=fp16", ("--gpu_precision_loss_allowed=true",)),
    (GPU, "precision=fp32", ("--gpu_precision_loss_allowed=false",)),
    (GPU, "backend=cl", ("--gpu_backend=cl",)),
    (GPU, "backend=gl", ("--gpu_backend=gl",)),
    (NNAPI, "", ("--use_nnapi=true", "--disable_nnapi_cpu=true")),
    (NNAPI, "accelerator=*", ("--nnapi_accelerator_name={value}",)),
    (HEXAGON, "", ("--use_hexagon=true", "--hexagon_lib_path={folder}")),
    (QNN, "", ("--external_delegate_path={library}",)),
    (EDGETPU, "", ("--external_delegate_path={library}",)),
    (EXTERNAL, "path=*", ("--external_delegate_path={library}",)),
)
"""Flags of tflite/tools/benchmark. `--use_xnnpack=true` is what `cpu` runs by default, but said explicitly the log
tells how much of the graph XNNPACK took."""

LITERT: tuple[Row, ...] = (
    (CPU, "", ("--use_cpu=true",)),
    (GPU, "", ("--use_cpu=false", "--use_gpu=true")),
    (GPU, "precision=fp16", ("--gpu-precision=fp16",)),
    (GPU, "precision=fp32", ("--gpu-precision=fp32",)),
    (GPU, "backend=cl", ("--gpu_backend=opencl",)),
    (GPU, "backend=gl", ("--gpu_backend=opengl",)),
    (NPU, "", ("--use_cpu=false", "--use_npu=true", "--dispatch_library_path={folder}")),
)
"""Flags of litert/tools. Without `--require_full_delegation` the CPU takes what the accelerator leaves."""

TABLES: dict[Flavour, tuple[Row, ...]] = {"tflite": TFLITE, "litert": LITERT}

EXTERNAL_OPTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    # delegate   (setting, option of the library); the tool parts options at ";" and key from value at ":"
    QNN: (
        ("backend=htp", "backend_type:htp"),
        ("backend=gpu", "backend_type:gpu"),
        ("", "library_path:{backend}"),
    ),
}
QNN_BACKENDS = {"htp": "libQnnHtp.so", "gpu": "libQnnGpu.so"}


class Files(NamedTuple):
    """Libraries that a delegate needs beside the tool: all that belong to it, and those it cannot do without."""

    pattern: str
    names: tuple[str, ...]


LIBRARIES = {
    # delegate     all of them         what must lie on the device; the first one is given to the tool
    HEXAGON: Files("libhexagon*.so", ("libhexagon_interface.so", "libhexagon_nn_skel.so")),
    QNN: Files("libQnn*.so", ("libQnnTFLiteDelegate.so",)),
    EDGETPU: Files("libedgetpu.so*", (KINDS[EDGETPU].library,)),
}
"""The tool says nothing where an external delegate's library is missing, so this is looked up before the run."""

WITHOUT_THEM = frozenset(
    {
        "export_model_runtime_info",
        "model_runtime_info_output_file",
        "result_file_path",
        "report_peak_memory_footprint",
    }
)
"""Flags that only tell more. An older tool may not know them, and what it measures is the same."""


@dataclass(frozen=True)
class Libraries:
    """Where a delegate's libraries lie on the device.

    Attributes:
        folder: What `--hexagon_lib_path` and `--dispatch_library_path` take.
        library: The external delegate itself.
        backend: QNN's backend library.
    """

    folder: str = ""
    library: str = ""
    backend: str = ""


@dataclass(frozen=True)
class Outputs:
    """Where the tool writes its files on the device; empty for not at all."""

    result: str = ""
    graph: str = ""
    profile: str = ""
    tensors: str = ""


@dataclass(frozen=True)
class Runs:
    """How long each phase takes: while (run < n or time < seconds) and time ≤ max_seconds."""

    n: int = 50
    seconds: float = 1.0
    max_seconds: float = 150.0
    warm_up_n: int = 1
    warm_up_seconds: float = 0.5


@dataclass(frozen=True)
class Input:
    """One input tensor fed from a file with its raw bytes."""

    name: str
    shape: tuple[int, ...]
    file: str


@dataclass(frozen=True)
class Command:
    """Everything that a command line is made from."""

    flavour: Flavour
    graph: str
    delegate: Delegate
    runs: Runs = Runs()
    inputs: tuple[Input, ...] = ()
    outputs: Outputs = Outputs()
    libraries: Libraries = Libraries()
    extra: Mapping[str, str] = field(default_factory=dict)

    def argv(self, binary: str) -> list[str]:
        """Return the command line.

        Raises:
            UsageError: This flavour has no such delegate or setting; says what it has.
        """
        return [
            binary,
            f"--graph={self.graph}",
            *delegate_flags(self.delegate, self.flavour, self.libraries),
            *_threads(self.delegate),
            *_runs(self.runs),
            *_inputs(self.inputs),
            *_outputs(self.outputs, self.flavour),
            *(f"--{key}={value}" for key, value in self.extra.items()),
        ]


def delegate_flags(delegate: Delegate, flavour: Flavour, libraries: Libraries = Libraries()) -> list[str]:
    """Return the flags that ask for a delegate.

    Raises:
        UsageError: This flavour has no such delegate or setting.
    """
    table = TABLES[flavour]
    if all(kind != delegate.kind for kind, _, _ in table):
        known = ", ".join(dict.fromkeys(kind for kind, _, _ in table))
        raise UsageError(
            f"benchmark_model of the flavour {flavour} has no delegate {delegate.kind!r}, only {known}"
        )
    settings = {"": "", **{key: value for key, value in delegate.options if not key.startswith(OPTION)}}
    flags = [flag for key, value in settings.items() for flag in _row(table, delegate, flavour, key, value)]
    places = {"folder": libraries.folder, "library": libraries.library or delegate.option("path") or ""}
    filled = [flag.format(value=delegate.option("accelerator"), **places) for flag in flags]
    return [*filled, *_external_options(delegate, libraries)]


def _row(table: Sequence[Row], delegate: Delegate, flavour: Flavour, key: str, value: str) -> tuple[str, ...]:
    wanted = {f"{key}={value}", f"{key}=*"} if key else {""}
    for kind, setting, flags in table:
        if kind == delegate.kind and setting in wanted:
            return flags
    if not key or delegate.kind in EXTERNAL_OPTIONS:
        return ()
    raise UsageError(
        f"delegate {str(delegate)!r}: benchmark_model of the flavour {flavour} cannot be told {key} {value}; "
        "leave it out"
    )


def _external_options(delegate: Delegate, libraries: Libraries) -> list[str]:
    """Return `--external_delegate_options=k:v;k:v`.

    Raises:
        UsageError: An option that the tool would drop without a word (external_delegate_provider.cc takes only items
            with exactly one colon).
    """
    given = {f"{key}={value}" for key, value in delegate.options} | ({""} if libraries.backend else set())
    options = [
        option.format(backend=libraries.backend)
        for setting, option in EXTERNAL_OPTIONS.get(delegate.kind, ())
        if setting in given
    ]
    options += [f"{key[len(OPTION) :]}:{value}" for key, value in delegate.options if key.startswith(OPTION)]
    for option in options:
        if option.count(":") != 1 or ";" in option:
            raise UsageError(
                f"delegate {str(delegate)!r}: the option {option!r} cannot be given to benchmark_model, which parts "
                'options at ";" and ":"'
            )
    return [f"--external_delegate_options={';'.join(options)}"] if options else []


def _threads(delegate: Delegate) -> list[str]:
    return [f"--num_threads={delegate.threads}"] if delegate.threads is not None else []


def _runs(runs: Runs) -> list[str]:
    return [
        f"--num_runs={runs.n}",
        f"--min_secs={runs.seconds:g}",
        f"--max_secs={runs.max_seconds:g}",
        f"--warmup_runs={runs.warm_up_n}",
        f"--warmup_min_secs={runs.warm_up_seconds:g}",
    ]


def _inputs(inputs: Sequence[Input]) -> list[str]:
    """Feed inputs from files; a ":" in a tensor's name is doubled, as the tool's code wants it.

    Its help says to escape it with a backslash, which the code of `SplitInputLayerNameAndValueFile` refuses.

    Raises:
        UsageError: A name or path with a character that the tool parts its lists at.
    """
    if not inputs:
        return []
    for one in inputs:
        if "," in one.name or "," in one.file or ":" in one.file:
            raise UsageError(
                f"input {one.name!r}, file {one.file!r}: benchmark_model takes no comma in a name or file, and no "
                "colon in a file"
            )
    shapes = ":".join(",".join(str(n) for n in one.shape) for one in inputs)
    files = ",".join(f"{one.name.replace(':', '::')}:{one.file}" for one in inputs)
    return [
        f"--input_layer={','.join(one.name for one in inputs)}",
        f"--input_layer_shape={shapes}",
        f"--input_layer_value_files={files}",
    ]


def _outputs(outputs: Outputs, flavour: Flavour) -> list[str]:
    flags = []
    if outputs.result:
        flags += [f"--result_file_path={outputs.result}"]
    if outputs.graph:
        flags += ["--export_model_runtime_info=true"] if flavour == "tflite" else []
        flags += [f"--model_runtime_info_output_file={outputs.graph}"]
    if outputs.profile:
        flags += ["--enable_op_profiling=true", "--op_profiling_output_mode=proto"]
        flags += [f"--op_profiling_output_file={outputs.profile}"]
    return flags + ([f"--output_filepath={outputs.tensors}"] if outputs.tensors else [])


def flag_name(flag: str) -> str:
    """Return the bare name of `--name=value`."""
    return flag.strip().removeprefix("--").partition("=")[0].partition(" ")[0]
