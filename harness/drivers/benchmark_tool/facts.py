"""What is known of one run of the tool. All frozen; times in ns, memory in MiB as the tool counts; unknown is None."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.vocabulary import Status, Word

Flavour = Literal["tflite", "litert"]
"""Two programs are called benchmark_model: `tflite/tools/benchmark` and `litert/tools`; their flags differ."""


class MentionKind(Word):
    """What a line says of a delegate."""

    COMPLETE = "complete"
    """It is to run the whole graph."""
    PARTIAL = "partial"
    """It is to run a part of the graph."""
    NONE = "none"
    """It was applied, and runs nothing."""
    REPLACED = "replaced"
    """It took so many nodes."""
    COUNTED = "counted"
    """It means to take so many nodes; told before it takes them."""
    REFUSED = "refused"
    """It was not applied."""
    CREATED = "created"
    """It exists, which proves nothing."""
    TAKEN_BACK = "taken back"
    """What any delegate took before this line was given back."""
    OPENGL = "opengl"
    """The GPU is reached by OpenGL, since OpenCL cannot be had."""


@dataclass(frozen=True)
class Statistics:
    """One phase of a run, as the tool summarizes it.

    It measures in whole µs, so a graph faster than that has 0 for all but the mean. The mean has six
    significant digits; the standard deviation is cut to a whole µs.
    """

    count: int
    mean_ns: int
    first_ns: int | None = None
    min_ns: int | None = None
    max_ns: int | None = None
    std_ns: int | None = None
    p5_ns: int | None = None
    median_ns: int | None = None
    p95_ns: int | None = None

    @property
    def consistent(self) -> bool:
        """Whether the figures can be of one sample: min ≤ p5 ≤ median ≤ p95 ≤ max, mean between them."""
        ordered = [
            v for v in (self.min_ns, self.p5_ns, self.median_ns, self.p95_ns, self.max_ns) if v is not None
        ]
        rounding = max(1, self.mean_ns // 100_000)
        low = self.min_ns is None or self.mean_ns >= self.min_ns - rounding
        high = self.max_ns is None or self.mean_ns <= self.max_ns + rounding
        return self.count > 0 and ordered == sorted(ordered) and low and high


@dataclass(frozen=True)
class Memory:
    """Growth of the process since its start, after loading and at the end, and its peak while it was watched."""

    init_mb: float | None = None
    overall_mb: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Mention:
    """A line that speaks of a delegate.

    Attributes:
        kind: What it says of it.
        delegate: What the tool calls it: `XNNPACK`, `GPU`, `TfLiteGpuDelegateV2`.
        text: The line, without its prefix.
        kernels: Number of partitions.
        nodes: Nodes that it replaced.
        total: Nodes of the graph.
    """

    kind: MentionKind
    delegate: str
    text: str
    kernels: int | None = None
    nodes: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class GraphShare:
    """What one delegate took of the graph."""

    delegate: str
    nodes: int
    partitions: int


@dataclass(frozen=True)
class RuntimeGraph:
    """The graph as it was executed: the surest evidence there is.

    Attributes:
        total_nodes: Nodes of the model itself.
        shares: What each delegate that is part of the execution plan took.
    """

    total_nodes: int
    shares: tuple[GraphShare, ...] = ()


@dataclass(frozen=True)
class OpRow:
    """One operator of a profile, in the order of execution."""

    node_type: str
    name: str
    mean_ns: int
    times_called: int
    memory_kb: float = 0.0


@dataclass(frozen=True)
class TextLog:
    """What the tool printed.

    Attributes:
        flavour: Which of the two programs printed it.
        warm_up: The warm-up phase.
        steady: The measured phase.
        closing_mean_ns: The mean of the measured phase in the closing line; None when that line is absent.
        init_ns: From loading to the first inference.
        first_ns: The first inference; None when nothing was run to warm up.
        memory: Memory.
        unconsumed: Flags that the tool did not know and passed over.
        mentions: Every line that speaks of a delegate, in order.
        switches: What it says it took from the flags: `("Use xnnpack", "0")`.
        accelerators: The NNAPI accelerators that the phone offers.
        errors: Lines of level ERROR or FATAL, each once.
        profile: Operators, when it was asked to print them.
    """

    flavour: Flavour | None = None
    warm_up: Statistics | None = None
    steady: Statistics | None = None
    closing_mean_ns: int | None = None
    init_ns: int | None = None
    first_ns: int | None = None
    memory: Memory = field(default_factory=Memory)
    unconsumed: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    switches: tuple[tuple[str, str], ...] = ()
    accelerators: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    profile: tuple[OpRow, ...] = ()


@dataclass(frozen=True)
class ToolOutput:
    """One run of the tool, from everything it printed and wrote.

    Attributes:
        status: `ok`, `failed` or `timeout`; says nothing about the delegate.
        reasons: Why it is not `ok`.
        exit_code: As the device gives it; None when the connection was lost before.
        log: What was printed.
        warm_up: The warm-up phase.
        steady: The measured phase; None unless `status` is `ok`.
        init_ns: From loading to the first inference.
        first_ns: The first inference.
        memory: Memory.
        graph: The graph as it was executed.
        profile: Operators.
        notes: What was found odd on the way.
    """

    status: Status
    exit_code: int | None
    log: TextLog
    reasons: tuple[str, ...] = ()
    warm_up: Statistics | None = None
    steady: Statistics | None = None
    init_ns: int | None = None
    first_ns: int | None = None
    memory: Memory = field(default_factory=Memory)
    graph: RuntimeGraph | None = None
    profile: tuple[OpRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def flavour(self) -> Flavour | None:
        """Which of the two programs it was."""
        return self.log.flavour

    @property
    def unconsumed(self) -> tuple[str, ...]:
        """Flags that were passed over."""
        return self.log.unconsumed
