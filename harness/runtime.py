"""The TFLite runtime that is installed, and interpreters made with it.

LiteRT (`ai-edge-litert`) first; its predecessor `tflite-runtime` where that is what is installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import RLock
from typing import Any

from harness.delegates import CPU, CPU_REFERENCE
from harness.install import pip_install

RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)
"""Distribution and module, in order of preference."""


_CHATTER = (b"INFO: ", b"VERBOSE: ")
"""How the runtime's own log begins lines that are neither a warning nor an error (TFLite's minimal_logging)."""
_STDERR = 2
_ONE_AT_A_TIME = RLock()


class RuntimeMissingError(Exception):
    """No TFLite runtime is installed."""


@dataclass(frozen=True)
class Runtime:
    """An importable TFLite runtime."""

    name: str
    version: str
    module: Any

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def load_runtime() -> Runtime:
    """Import the runtime that is installed.

    Raises:
        RuntimeMissingError: None is; says what to install.
    """
    from importlib import metadata  # late: with all it loads, a process that runs no model needs none of it

    failures = []
    for name, module in RUNTIMES:
        try:
            return Runtime(name, metadata.version(name), import_module(module))
        except (ImportError, metadata.PackageNotFoundError) as error:
            failures.append(f"{name}: {error}")
    raise RuntimeMissingError(
        f"no TFLite runtime: {pip_install('ai-edge-litert')} (or tflite-runtime up to Python 3.11); "
        f"{'; '.join(failures)}"
    )


def make_interpreter(
    runtime: Runtime, model: str, delegate: str, threads: int, keep_tensors: bool = False
) -> Any:
    """Make an interpreter and allocate its tensors.

    Args:
        runtime: What makes it.
        model: Path of the .tflite.
        delegate: `cpu` or `cpu-reference`.
        threads: CPU threads.
        keep_tensors: Keep the memory of every tensor, so that it can be read after a run.

    Raises:
        ValueError: The model cannot be loaded or has an operator the runtime does not have.
        RuntimeError: Its tensors cannot be allocated.
    """
    interpreter = load_model(runtime, model, delegate, threads, keep_tensors)
    interpreter.allocate_tensors()
    return interpreter


def load_model(runtime: Runtime, model: str, delegate: str, threads: int, keep_tensors: bool = False) -> Any:
    """Make an interpreter without memory for its tensors yet: its input can still be resized.

    `cpu` takes the default resolver, which applies XNNPACK where it can; `cpu-reference` the builtin kernels
    without any default delegate.

    Raises:
        ValueError: The model cannot be loaded or has an operator the runtime does not have.
    """
    settings: dict[str, Any] = {"model_path": model, "num_threads": threads}
    if delegate == CPU_REFERENCE:
        settings["experimental_op_resolver_type"] = (
            runtime.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
    elif delegate != CPU:
        raise ValueError(f"the Python runtime has no delegate {delegate!r}")
    if not keep_tensors:
        return runtime.module.Interpreter(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the memory that preserved tensors take
        return runtime.module.Interpreter(**settings, experimental_preserve_all_tensors=True)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keep what the runtime tells of itself off the terminal; everything else that is written meanwhile stays.

    For interpreters in a command's own process. What a worker's runtime says is evidence, and is kept.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as said:
        try:
            sys.stderr.flush()
            terminal = os.dup(_STDERR)
        except (OSError, ValueError, AttributeError):  # there is no stderr
            yield
            return
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(terminal, _STDERR)
            os.close(terminal)
            said.seek(0)
            os.write(_STDERR, b"".join(line for line in said if not line.startswith(_CHATTER)))
