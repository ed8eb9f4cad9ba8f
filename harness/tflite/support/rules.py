"""The language of the tables: an operator is supported, not supported, or unknown, with a reason.

A table's row is a list of checks; a check that has an objection returns an `Answer`. Without objections the
answer is yes. Where a documentation is silent the answer is `unknown`, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.tflite.nodes import Node

State = Literal["yes", "no", "unknown"]
RANK: Mapping[State, int] = {"no": 0, "unknown": 1, "yes": 2}
FLOAT32 = frozenset({"float32"})
FLOATS = frozenset({"float32", "float16"})
QUANT8 = frozenset({"uint8", "int8"})


@dataclass(frozen=True)
class Answer:
    """Whether a delegate takes an operator, and why not."""

    state: State
    reason: str = ""


YES = Answer("yes")
Check = Callable[[Node], Answer | None]
Row = tuple[Check, ...]


@dataclass(frozen=True)
class Table:
    """The documented rules of one delegate.

    Attributes:
        delegate: Its name on the command line.
        condition: The version or setting that the table is for; empty for any.
        source: The source of the rules.
        rows: Operator → checks.
        everywhere: Checks for every operator.
        unlisted: The answer for an operator without a row.
        max_partitions: Number of partitions that the delegate takes by default, largest first; None for all.
        min_nodes: Fewest operators of a partition.
        first_only: Whether only the first partition in execution order can be taken (Edge TPU compiler).
        fixed_sizes: Whether the whole model is refused where the size of any tensor is computed.
        halves_on_cpu: Whether what unpacks stored float16 weights stays on the CPU unless all else is taken.
        partitions_told: Whether more than one partition can be counted as TFLite's runtime divides a graph.
        whole: Checks for every operator; where one objects, the whole model is refused.
        note: A further remark for the reader.
    """

    delegate: str
    condition: str
    source: str
    rows: Mapping[str, Row]
    unlisted: Answer
    everywhere: Row = ()
    max_partitions: int | None = None
    min_nodes: int = 1
    first_only: bool = False
    fixed_sizes: bool = False
    halves_on_cpu: bool = False
    partitions_told: bool = True
    whole: Row = ()
    note: str = ""

    def of_whole(self, node: Node) -> Answer | None:
        """Return the objection to the whole model that an operator gives rise to; None without one."""
        found = [answer for check in self.whole if (answer := check(node)) is not None]
        return min(found, key=lambda answer: RANK[answer.state], default=None)

    def answer(self, node: Node) -> Answer:
        """Return whether the delegate takes an operator: the worst of all objections."""
        row = self.rows.get(node.name)
        if row is None:
            return self.unlisted
        objections = [found for check in (*self.everywhere, *row) if (found := check(node)) is not None]
        return min(objections, key=lambda answer: RANK[answer.state], default=YES)


def no(reason: str) -> Answer:
    """Return «not supported» with its reason."""
    return Answer("no", reason)


def unknown(reason: str) -> Answer:
    """Return «unknown» with its reason."""
    return Answer("unknown", reason)


def computed(node: Node) -> set[str]:
    """Return the types of the computed, not stored, tensors that an operator reads and writes."""
    tensors = [t for t in node.inputs if t is not None and not t.constant and t.index not in node.unpacked]
    return {tensor.dtype for tensor in (*tensors, *node.outputs)}


def types(*allowed: Collection[str], open_: Collection[str] = ()) -> Check:
    """Require the first input and the first output to be of one of the kinds; `open_` types are undocumented."""

    def check(node: Node) -> Answer | None:
        first = node.input(0)
        found = {t.dtype for t in (first, *node.outputs[:1]) if t is not None}
        if any(found <= set(kind) for kind in allowed):
            return None
        words = " → ".join(sorted(found))
        if open_ and found <= {*open_, *(dtype for kind in allowed for dtype in kind)}:
            return unknown(f"not documented for {words}")
        return no(f"not for {words}")

    return check


def data_types(position: int, *allowed: str) -> Check:
    """Require an input to be of one of the types."""

    def check(node: Node) -> Answer | None:
        tensor = node.input(position)
        if tensor is None or tensor.dtype in allowed:
            return None
        return no(f"not for input {position} of type {tensor.dtype}")

    return check


def activation(*allowed: str) -> Check:
    """Require the fused activation to be one of these."""

    def check(node: Node) -> Answer | None:
        found = node.options.get("activation", "NONE")
        return None if found in allowed else no(f"not with the fused activation {found}")

    return check


def static(*positions: int, what: str = "input") -> Check:
    """Require inputs to be stored in the file, or unpacked from a stored one; an absent optional one is fine."""

    def check(node: Node) -> Answer | None:
        for position in positions:
            if node.input(position) is not None and node.stored(position) is None:
                return no(f"{what} {position} must be a constant")
        return None

    return check


def n_inputs(lowest: int, highest: int, open_to: int = 0) -> Check:
    """Require a number of inputs; more, up to `open_to`, are undocumented."""

    def check(node: Node) -> Answer | None:
        found = sum(tensor is not None for tensor in node.inputs)
        if lowest <= found <= highest:
            return None
        if highest < found <= open_to:
            return unknown(f"not documented with {found} inputs")
        return no(f"not with {found} inputs")

    return check


def n_outputs(lowest: int, highest: int) -> Check:
    """Require a number of outputs."""

    def check(node: Node) -> Answer | None:
        found = len(node.outputs)
        return None if lowest <= found <= highest else no(f"not with {found} outputs")

    return check


def bias(node: Node) -> Answer | None:
    """Require the third input."""
    return None if node.input(2) is not None else no("a bias is mandatory")


def option(key: str, *allowed: Any, at_most: float | None = None, at_least: float | None = None) -> Check:
    """Require an option to have one of the values, or to lie within bounds; an absent one is fine."""

    def check(node: Node) -> Answer | None:
        value = node.options.get(key)
        if value is None or (allowed and value in allowed):
            return None
        if not allowed and (at_most is None or value <= at_most) and (at_least is None or value >= at_least):
            return None
        return no(f"not with {key.replace('_', ' ')} {value}")

    return check


def max_rank(limit: int) -> Check:
    """Require all tensors to have at most so many dimensions."""

    def check(node: Node) -> Answer | None:
        ranks = [len(tensor.shape) for tensor in (*node.inputs, *node.outputs) if tensor is not None]
        found = max(ranks, default=0)
        return None if found <= limit else no(f"not with {found} dimensions")

    return check


def rank_of(position: int, *ranks: int) -> Check:
    """Require an input to have one of these numbers of dimensions."""

    def check(node: Node) -> Answer | None:
        tensor = node.input(position)
        if tensor is None or len(tensor.shape) in ranks:
            return None
        return no(f"not with {len(tensor.shape)} dimensions")

    return check


def values(position: int, fits: Callable[[tuple[int, ...]], bool], reason: str) -> Check:
    """Require a property of the values of a constant input; unknown where they are not in the file."""

    def check(node: Node) -> Answer | None:
        found = node.integers(position)
        if found is None:
            return unknown(f"input {position} is not a constant")
        return None if fits(found) else no(reason)

    return check


def undecided(reason: str) -> Check:
    """Answer «unknown» always: the documentation states a condition that the file does not show."""
    return lambda node: unknown(reason)


def rows(names: str, *checks: Check) -> dict[str, Row]:
    """Return one row for each of the names, given as words."""
    return dict.fromkeys(names.split(), checks)
