"""Run `edgetpu_compiler` where it is installed; say how to get it where it is not."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import outputs
from harness.cards import Model
from harness.delegates import EDGETPU
from harness.edgetpu.advice import advice
from harness.edgetpu.log import CompilerLog, ModelLog, parse
from harness.errors import JobError, UsageError
from harness.paths import is_file, resolved
from harness.tflite.model import describe
from harness.vocabulary import Quantization

PROGRAM = "edgetpu_compiler"
HOW_TO_GET = (
    f"{PROGRAM} is not installed. It exists for x86-64 Debian and Ubuntu: add the package repository "
    "coral-edgetpu-stable as https://coral.ai/docs/edgetpu/compiler says, then `sudo apt-get install edgetpu-compiler`"
    "; elsewhere use a container of Debian for x86-64, or the web-based compiler that the page links to"
)
COMPILABLE = frozenset(
    {
        Quantization.FULL_INTEGER,
        Quantization.FULL_INTEGER_FLOAT_IO,
        Quantization.QAT_UINT8,
        Quantization.MIXED,
    }
)
"""Models of which the Edge TPU may take operators: it computes with integers alone."""
DEFAULT_TIMEOUT_S = 180
"""The compiler's own time limit, since version 16."""
LEAST_TIMEOUT_S = 60.0
"""On top of the compiler's own time limit."""


@dataclass(frozen=True)
class Options:
    """What the compiler is told.

    Attributes:
        output: Folder for the compiled model and the log; None for the model's own.
        multiple_subgraphs: `-a`: map every part that can be (experimental, says the compiler).
        min_runtime: `-m`: oldest version of the runtime that shall run it.
        segments: `-n`: cut it into so many models for a pipeline of as many TPUs.
        timeout_s: `-t`: give up after so many seconds; None for the compiler's own 180.
    """

    output: Path | None = None
    multiple_subgraphs: bool = False
    min_runtime: int | None = None
    segments: int | None = None
    timeout_s: int | None = None


@dataclass(frozen=True)
class Compiled:
    """A compilation.

    Attributes:
        model: The compiled file; the first one where there are several segments.
        log_file: What the compiler printed, whole.
        log: The same, read.
    """

    model: Path
    log_file: Path
    log: CompilerLog


def compile_model(path: Path, options: Options = Options()) -> Compiled:
    """Compile a model for the Edge TPU.

    Raises:
        UsageError: The compiler is not installed, or the model cannot be compiled.
        JobError: The compiler failed; says with which words, and what to do.
        OutputError: The log cannot be written.
    """
    program = shutil.which(PROGRAM)
    _refuse_unfit(path)
    if program is None:
        here = f" (this computer is {platform.machine()})" if platform.machine() != "x86_64" else ""
        raise UsageError(HOW_TO_GET + here)
    folder = resolved(options.output or path.parent)
    folder.mkdir(parents=True, exist_ok=True)
    text, exit_code = _run([program, *_flags(options, folder), str(resolved(path))], options.timeout_s)
    log_file = folder / f"{path.stem}_edgetpu.compiler.log"
    outputs.write(log_file, text.encode())
    log = parse(text)
    _refuse_failed(path, log, exit_code, log_file)
    return Compiled(_compiled_file(folder, path, options, log_file), log_file, log)


def compile_converted(card: Model | None, output: Path) -> list[str]:
    """Compile what was converted to the place of a card that says so, where the compiler is here; else say how.

    Args:
        card: The card; None for none.
        output: What was converted.

    Returns:
        Remarks: the files, or the command.

    Raises:
        UsageError: The model cannot be compiled.
        JobError: The compiler failed.
    """
    if card is None or card.card.source.compiled_for != EDGETPU or output != card.converted:
        return []
    if shutil.which(PROGRAM) is None:
        return [f"{PROGRAM} is not here: where it is, `harness edgetpu compile {card.name}` compiles it"]
    done = compile_model(output)
    return [f"compiled: {done.model}", f"log: {done.log_file}"]


def _refuse_unfit(path: Path) -> None:
    """The compiler says less than the file itself does about why it will not do."""
    facts = describe(path)
    if facts.edgetpu:
        raise UsageError(f"{path}: is compiled for the Edge TPU already")
    if facts.quantization not in COMPILABLE:
        raise UsageError(
            f"{path}: is {facts.quantization}, and the Edge TPU takes fully quantized models only: `harness quantize "
            f"{path.name} --mode int8 --representative DIR -o {path.stem}_int8.tflite`"
        )


def _flags(options: Options, folder: Path) -> list[str]:
    return [
        *("-s", "-o", str(folder)),
        *(["-a"] if options.multiple_subgraphs else []),
        *(["-m", str(options.min_runtime)] if options.min_runtime is not None else []),
        *(["-n", str(options.segments)] if options.segments is not None else []),
        *(["-t", str(options.timeout_s)] if options.timeout_s is not None else []),
    ]


def _run(argv: list[str], timeout_s: int | None) -> tuple[str, int]:
    """Run the compiler; return all that it printed, and its exit code."""
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=(timeout_s or DEFAULT_TIMEOUT_S) + LEAST_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise JobError(
            f"{PROGRAM} gave no answer within {error.timeout:g} s and was killed: raise --timeout"
        ) from error
    except OSError as error:
        raise JobError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
    return ended.stdout.decode("utf-8", errors="replace"), ended.returncode


def _refuse_failed(path: Path, log: CompilerLog, exit_code: int, log_file: Path) -> None:
    if exit_code == 0 and not log.problems:
        return
    model = log.models[0] if log.models else ModelLog()
    told = "; ".join(advice(log, model)) if log.problems else f"exit code {exit_code}"
    raise JobError(f"{path}: {PROGRAM} failed: {told} (its log: {log_file})")


def _compiled_file(folder: Path, path: Path, options: Options, log_file: Path) -> Path:
    """Return the compiled model, and believe only what the file itself says."""
    n = options.segments
    name = f"{path.stem}_segment_0_of_{n}_edgetpu.tflite" if n and n > 1 else f"{path.stem}_edgetpu.tflite"
    file = folder / name
    if not is_file(file):
        raise JobError(f"{path}: {PROGRAM} ended well, but left no {name} in {folder} (its log: {log_file})")
    if not describe(file).edgetpu:
        raise JobError(
            f"{file}: nothing in it is for the Edge TPU: no operator of {path.name} could be mapped"
        )
    return file
