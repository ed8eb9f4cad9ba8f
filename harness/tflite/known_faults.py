"""Faults of runtimes that are known beforehand, from the graph, the threads and the version (`known_faults.toml`).

What a comparison of outputs can only find when the images happen to show it, these tell without any image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness import schema
from harness.schema import Strict
from harness.tflite.model import ModelDescription

FILE = Path(__file__).with_name("known_faults.toml")


class Versions(Strict, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """A runtime and the versions that it was seen in, both ends included."""

    name: str
    first: str
    last: str

    def holds(self, runtime: str) -> bool:
        """Whether a runtime, as a row names it (`ai-edge-litert 2.3.0`), is one of them."""
        name, _, version = runtime.partition(" ")
        numbers = _numbers(version)
        low, high = _numbers(self.first), _numbers(self.last)
        return name == self.name and bool(numbers) and low <= numbers and numbers[: len(high)] <= high

    def __str__(self) -> str:
        return f"{self.name} {self.first}" + (f"–{self.last}" if self.last != self.first else "")


class Fault(Strict, frozen=True, kw_only=True):
    """A known fault; the keys are explained at the head of the file."""

    name: str
    effect: str
    condition: str
    remedy: str
    source: str
    runtimes: tuple[Versions, ...]
    incorrect: bool = False


class _File(Strict, frozen=True, kw_only=True):
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class FoundFault:
    """A known fault of one model on one runtime.

    Attributes:
        fault: The fault.
        sentence: What happens, where it was seen, and what to do.
        incorrect: The outputs are wrong, whatever images show.
    """

    fault: Fault
    sentence: str
    incorrect: bool


Filled = Mapping[str, str]
Condition = Callable[[ModelDescription, int | None], Filled | None]
"""What a fault's effect is filled in with where a model, on so many threads (None: any), has it; else None."""


def _regular_nms_on_threads(facts: ModelDescription, threads: int | None) -> Filled | None:
    """1 < T < classes: the operator divides the classes among T threads, and one is never looked at."""
    options = facts.postprocess
    if options is None or not options.use_regular_nms or options.num_classes < 3:
        return None
    if threads is None:
        return {"threads": f"T (2 to {options.num_classes - 1})", "class": "T, counted from 0"}
    lost = 1 < threads < options.num_classes
    return {"threads": str(threads), "class": _class_name(facts, threads)} if lost else None


def _class_name(facts: ModelDescription, index: int) -> str:
    names = facts.stated.labels
    known = (
        f" ({names[index]})" if index < len(names) == getattr(facts.postprocess, "num_classes", -1) else ""
    )
    return f"{index}{known}, counted from 0"


def _documents_only(facts: ModelDescription, threads: int | None) -> Filled | None:
    """What our own code keeps from happening is told in the documents alone."""
    return None


CONDITIONS: Mapping[str, Condition] = {
    "regular-nms-on-threads": _regular_nms_on_threads,
    "documents-only": _documents_only,
}


@cache
def known_faults() -> tuple[Fault, ...]:
    """Read the file."""
    return schema.convert(schema.load_toml(FILE), _File, FILE).faults


def faults_of(
    facts: ModelDescription, runtime: str | None = None, threads: int | None = None
) -> Iterator[FoundFault]:
    """Yield the known faults that a model has.

    Args:
        facts: The model.
        runtime: What runs it, as a row names it; None for any that has the fault.
        threads: CPU threads; None for any number.
    """
    for fault in known_faults():
        filled = CONDITIONS[fault.condition](facts, threads)
        seen = runtime is None or any(versions.holds(runtime) for versions in fault.runtimes)
        if filled is None or not seen:
            continue
        where = ", ".join(str(versions) for versions in fault.runtimes)
        sentence = f"{fault.effect.format_map(dict(filled))} (seen in {where}): {fault.remedy}"
        yield FoundFault(fault, sentence, fault.incorrect)


def _numbers(version: str) -> tuple[int, ...]:
    """`2.4.0.dev20261026` as (2, 4, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
