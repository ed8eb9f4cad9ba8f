"""What LiteRT's GPU accelerator says on standard error: which adapter, which operators, and why it refuses.

Read as ai-edge-litert 2.3.0 writes it (ML Drift on Dawn). Its Python calls tell nothing of this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from harness.delegates import GPU, UNKNOWN
from harness.worker.compiled import COMPILED
from harness.worker.results import Execution

_ADAPTER = re.compile(r"Selected adapter: (?P<name>.+?), arch=")
_BACKEND = re.compile(r"\bbackend=(?P<backend>[^,\n]+)")
_TYPE = re.compile(r"\badapterType=(?P<type>[^,\n]+)")
_COUNTS = re.compile(
    r"^(?P<taken>[0-9]{1,9}) operations will run on the GPU, and the remaining (?P<left>[0-9]{1,9}) operations "
    r"will run on the CPU\.",
    re.MULTILINE,
)
_APPLIED = re.compile(r"Initializing (?P<api>\S+)-based API from graph\.")
_ERROR = "ERROR: "
_UNSUPPORTED = "Following operations are not supported by GPU delegate:"
_TAKEN_BACK = ("Restored original execution plan", "previously applied delegates are reverted")
_SOFTWARE = "CPU"
_KNOWN_SOFTWARE = ("swiftshader", "llvmpipe", "lavapipe")
# fmt: off
_REFUSALS = (
    ("libvulkan.so.1: cannot open shared object file",
     "there is no Vulkan loader (libvulkan.so.1): install it (Debian, Ubuntu: `apt install libvulkan1`) beside the "
     "GPU's driver"),
    ("No adapters found",
     "no GPU was found: its Vulkan driver is missing or cannot be used here (`vulkaninfo --summary` lists what there "
     "is; VK_DRIVER_FILES names a driver's file)"),
    ("a delegate that only supports static-sized tensors",
     "the GPU accelerator takes tensors of fixed size only and refuses the whole model, which has some of computed "
     "size (`harness inspect` names them)"),
)
# fmt: on


@dataclass(frozen=True)
class GpuLog:
    """What the accelerator said while it compiled a model.

    Attributes:
        adapter: The GPU's name and the interface to it; None where none was chosen.
        software: A program that computes on the CPU stands in for a GPU.
        on_gpu: Operators that it took, where it says so: it says nothing where it took all.
        on_cpu: Operators that it left.
        unsupported: Those that it does not support, in its words.
        applied: It made its kernels from the graph.
        taken_back: The line that undoes it.
    """

    adapter: str | None = None
    software: bool = False
    on_gpu: int | None = None
    on_cpu: int | None = None
    unsupported: tuple[str, ...] = ()
    applied: bool = False
    taken_back: str | None = None


def read_gpu_log(text: str) -> GpuLog:
    """Read the log of a process whose first model was compiled for the GPU."""
    compiled, _, _ = text.partition(COMPILED)
    adapter, counts = _ADAPTER.search(compiled), _COUNTS.search(compiled)
    line = next((line for line in compiled.splitlines() if adapter and adapter[0] in line), "")
    kind, backend = _TYPE.search(line), _BACKEND.search(line)
    name = None if adapter is None else adapter["name"]
    return GpuLog(
        adapter=name and (f"{name} ({backend['backend']})" if backend else name),
        software=_is_software(name or "", kind["type"] if kind else ""),
        on_gpu=int(counts["taken"]) if counts else None,
        on_cpu=int(counts["left"]) if counts else None,
        unsupported=_unsupported(compiled),
        applied=_APPLIED.search(compiled) is not None,
        taken_back=next(
            (line.strip() for line in text.splitlines() if any(w in line for w in _TAKEN_BACK)), None
        ),
    )


def _is_software(name: str, kind: str) -> bool:
    return kind.strip().startswith(_SOFTWARE) or any(word in name.lower() for word in _KNOWN_SOFTWARE)


def _unsupported(text: str) -> tuple[str, ...]:
    """Return the lines between the heading and the counts."""
    _, heading, rest = text.partition(_UNSUPPORTED)
    found = []
    for line in rest.splitlines()[1:] if heading else ():
        if _COUNTS.match(line) or not line.strip():
            break
        found.append(_operator(line))
    return tuple(found)


def _operator(line: str) -> str:
    """`RESHAPE: why`; a custom operator's line gives its name twice, and some lines no reason."""
    name, _, why = line.strip().removeprefix("CUSTOM ").partition(":")
    return name if why.strip() in {"", name} else f"{name}: {why.strip()}"


def why_refused(text: str) -> str | None:
    """Say why the accelerator made no model, in plain words or else its own; None where its log does not tell."""
    known = next((words for sign, words in _REFUSALS if sign in text), None)
    errors = (line.removeprefix(_ERROR) for line in text.splitlines() if line.startswith(_ERROR))
    said = dict.fromkeys(error for error in errors if not error.startswith(_UNSUPPORTED))
    return known or "; ".join(said) or None


def judge(execution: Execution, log: GpuLog) -> Execution:
    """Say what ran, from what the worker knows of the graph and what the accelerator said.

    Without the line that kernels were made, or with one that takes it back, nothing is proven.
    """
    evidence = (
        *execution.evidence,
        *([f"the GPU: {log.adapter}{' (software)' if log.software else ''}"] if log.adapter else ()),
        *([f"left to the CPU: {'; '.join(log.unsupported)}"] if log.unsupported else ()),
    )
    if log.taken_back is not None or not log.applied or log.adapter is None:
        why = log.taken_back or "LiteRT did not say that it made kernels for the GPU"
        return replace(execution, actual=UNKNOWN, delegated_nodes=None, evidence=(why, *evidence))
    if log.on_gpu is None or log.on_cpu is None:
        taken, total = execution.total_nodes, execution.total_nodes
    else:
        taken, total = log.on_gpu, log.on_gpu + log.on_cpu
    return replace(execution, actual=GPU, delegated_nodes=taken, total_nodes=total, evidence=evidence)
