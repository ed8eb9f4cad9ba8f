"""Faults of runtimes and tools that are known beforehand, from graph, threads, delegate and version.

What a comparison of outputs can only find when the images happen to show it, these tell without any image. The faults
are data, in `known_faults.toml`; what a model must be like to have one stands in `fault_conditions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from harness import schema
from harness.schema import Strict
from harness.tflite.fault_conditions import CONDITIONS, EXAMPLES, Use
from harness.tflite.model import ModelDescription

FILE = Path(__file__).with_name("known_faults.toml")
_SEVERAL = re.compile(r" with |, ")
"""`ai-edge-litert 2.3.0 with onnxruntime-qnn 2.7.0, QNN v2.51`."""
Severity = Literal["error", "warning", "hint"]


class Versions(Strict, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """A runtime or tool and the versions that it was seen in, both ends included; no ends where none is ever told."""

    name: str
    first: str = ""
    last: str = ""

    def holds(self, runtime: str) -> bool:
        """Whether a runtime, as a row names it (`ai-edge-litert 2.3.0`), is one of them; of several, whether any is."""
        return any(self._holds(one) for one in _SEVERAL.split(runtime))

    def _holds(self, runtime: str) -> bool:
        name, _, version = runtime.partition(" ")
        if name != self.name or not self.first:
            return name == self.name
        numbers = _numbers(version)
        low, high = _numbers(self.first), _numbers(self.last)
        return bool(numbers) and low <= numbers and numbers[: len(high)] <= high

    def __str__(self) -> str:
        return f"{self.name} {self.first}".strip() + (f"–{self.last}" if self.last != self.first else "")


class Fault(Strict, frozen=True, kw_only=True):
    """A known fault; the keys are explained at the head of the file."""

    name: str
    effect: str
    condition: str
    remedy: str
    source: str
    runtimes: tuple[Versions, ...]
    severity: Severity = "warning"
    delegates: tuple[str, ...] = ()
    in_file: bool = False
    avoided: bool = False

    @property
    def places(self) -> str:
        """The versions that it was seen in, in words."""
        return ", ".join(map(str, self.runtimes))

    @property
    def in_general(self) -> str:
        """What happens, where no model fills it in."""
        return self.effect.format_map(dict(EXAMPLES))


class _File(Strict, frozen=True, kw_only=True):
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class FoundFault:
    """A known fault of one model, as it is run.

    Attributes:
        fault: The fault.
        sentence: What happens, where it was seen, and what to do.
    """

    fault: Fault
    sentence: str

    @property
    def incorrect(self) -> bool:
        """The outputs are wrong, whatever images show."""
        return self.fault.severity == "error"


@cache
def known_faults() -> tuple[Fault, ...]:
    """Read the file."""
    return schema.convert(schema.load_toml(FILE), _File, FILE).faults


def faults_of(
    facts: ModelDescription,
    runtime: str | None = None,
    threads: int | None = None,
    delegate: str | None = None,
) -> Iterator[FoundFault]:
    """Yield the known faults that a model has.

    Args:
        facts: The model.
        runtime: What runs it, as a row names it; None for any that has the fault.
        threads: CPU threads; None for any number.
        delegate: Kind of delegate and its maker, as `Delegate.kind_and_maker`; None for any.
    """
    for fault in known_faults():
        if delegate is not None and fault.delegates and delegate not in fault.delegates:
            continue
        if runtime is not None and not fault.in_file and not any(v.holds(runtime) for v in fault.runtimes):
            continue
        filled = CONDITIONS[fault.condition](Use(facts, threads))
        if filled is not None:
            sentence = f"{fault.effect.format_map(dict(filled))} (seen in {fault.places}): {fault.remedy}"
            yield FoundFault(fault, sentence)


def faults_of_version(version: str) -> tuple[Fault, ...]:
    """Return the known faults of a runtime or tool, named as `ai-edge-litert 2.3.0`."""
    return tuple(fault for fault in known_faults() if any(one.holds(version) for one in fault.runtimes))


def faults_table() -> str:
    """Return all of them as the table of devices/README.md."""
    lines = ["| fault | seen in | what to do | shown by |", "|---|---|---|---|"]
    for fault in known_faults():
        here = not fault.source.startswith("https://")
        link = f"[`{fault.source}`](../{fault.source})" if here else f"[upstream]({fault.source})"
        lines.append(f"| {fault.in_general} | {fault.places} | {fault.remedy} | {link} |")
    return "\n".join(lines)


def _numbers(version: str) -> tuple[int, ...]:
    """`2.4.0.dev20261026` as (2, 4, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
