"""What benchmark_model prints → plain facts. Unknown lines are passed over; nothing here raises.

Sources of the wordings: `BenchmarkLoggingListener::OnBenchmarkEnd` and `BenchmarkModel::Run` in
tflite/tools/benchmark/benchmark_model.cc, `Stat::OutputToStream` in tflite/util/stats_calculator.h, delegate lines
in benchmark_tflite_model.cc, `Subgraph::ModifyGraphWithDelegate` for "Replacing …", and
litert/tools/benchmark_litert_model.h for the block "BENCHMARK RESULTS".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from harness.drivers.benchmark_tool import profile_text
from harness.drivers.benchmark_tool.facts import Flavour, Memory, Mention, MentionKind, Statistics, TextLog
from harness.drivers.benchmark_tool.lines import nanoseconds, number, split, whole

_BANNER = "Running benchmark for at least"
_CLOSING = re.compile(r"(?:Average i|I)nference timings in us: (.+)")
_SESSION = re.compile(r"Initialized session in ([0-9.e+]+) ?ms\.?")
_DELTA = re.compile(r"(?:Memory footprint delta|Peak memory footprint).*\(MB\): init=(\S+) overall=(\S+)")
_PEAK = re.compile(r"Overall peak memory footprint \(MB\) via periodic monitoring: (\S+)")
_SWITCH = re.compile(r"([#\w][^:\[\]]*?)\s*: \[(.*)\]")
_UNCONSUMED = "Unconsumed cmdline flags: "
_ACCELERATORS = re.compile(r"NNAPI accelerators available: \[(.*)\]")
_NOT_A_REASON = ("usage: ", "Benchmarking failed.")
_LITERT_ROW = re.compile(
    r"(Model initialization|Warmup|Inference)(?: \((\w+)\))?: +([0-9.]+)(?: ms)?(?: \(([0-9]+) runs\))?"
)

_MENTIONS: tuple[tuple[MentionKind, re.Pattern[str]], ...] = (
    (
        MentionKind.COMPLETE,
        re.compile(
            r"(?:Explicitly a|A)pplied (?P<name>\S.{0,99}?) delegate, and the model graph will be completely executed"
        ),
    ),
    (
        MentionKind.PARTIAL,
        re.compile(
            r"(?:Explicitly a|A)pplied (?P<name>\S.{0,99}?) delegate, and the model graph will be partially executed"
            r"(?: by the delegate w/ (?P<kernels>[0-9]+) delegate kernels)?"
        ),
    ),
    (
        MentionKind.NONE,
        re.compile(
            r"Though (?P<name>\S.{0,99}?) delegate is explicitly applied, the model graph will not be executed"
        ),
    ),
    (
        MentionKind.REPLACED,
        re.compile(
            r"Replacing (?P<nodes>[0-9]+)(?: out of (?P<total>[0-9]+))? node\(s\) with delegate "
            r"\((?P<name>[^()]{1,99})\) node, yielding (?P<kernels>[0-9]+) partitions"
        ),
    ),
    (
        MentionKind.REPLACED,
        re.compile(
            r"Node [0-9]+ is a (?P<name>\S+) node \(\S+\), which has delegated (?P<nodes>[0-9]+) nodes"
        ),
    ),
    (
        MentionKind.COUNTED,
        re.compile(
            r"(?P<name>\S[^:]{0,99}?)(?: delegate)?: (?P<nodes>[0-9]+) nodes delegated out of (?P<total>[0-9]+) nodes"
            r"(?: with (?P<kernels>[0-9]+) partitions)?"
        ),
    ),
    (
        MentionKind.TAKEN_BACK,
        re.compile(r"Restored original execution plan after (?P<name>delegate) application"),
    ),
    (MentionKind.OPENGL, re.compile(r"Falling back to (?P<name>OpenGL)")),
    (MentionKind.TAKEN_BACK, re.compile(r"all previously applied (?P<name>delegates) are reverted")),
    (MentionKind.REFUSED, re.compile(r"Failed to apply (?:the )?(?P<name>\S.{0,99}?) delegate")),
    (MentionKind.REFUSED, re.compile(r"Could not create (?:an? )?(?P<name>\S.{0,99}?) delegate")),
    (MentionKind.REFUSED, re.compile(r"(?P<name>\S+) acceleration is unsupported on this platform")),
    (MentionKind.REFUSED, re.compile(r"(?P<name>\S+) delegate is not (?:supported|available)")),
    (MentionKind.CREATED, re.compile(r"Created TensorFlow Lite delegate for (?P<name>\S+)\.")),
    (MentionKind.CREATED, re.compile(r"Created TensorFlow Lite (?P<name>\S+) delegate for CPU")),
    (MentionKind.CREATED, re.compile(r"(?P<name>\S+) delegate created")),
)
"""How a delegate is spoken of."""

_FLAVOURS: tuple[tuple[Flavour, re.Pattern[str]], ...] = (
    ("litert", re.compile(r"dispatch_library_path|BENCHMARK RESULTS|Creating LiteRT environment|--use_npu")),
    ("tflite", re.compile(r"Signature to run: \[|Graph: \[|--use_xnnpack|--external_delegate_path")),
)


def flavour_of(text: str) -> Flavour | None:
    """Tell by its help text or its log which of the two programs it is."""
    return next((flavour for flavour, pattern in _FLAVOURS if pattern.search(text)), None)


def parse_log(text: str) -> TextLog:
    """Read everything that the tool printed, standard output and standard error one after the other or merged."""
    reader = _Reader()
    for level, words in split(text):
        reader.read(level, words.rstrip())
    found = TextLog(
        flavour=flavour_of(text),
        warm_up=reader.phases.get(1),
        steady=reader.phases.get(2),
        init_ns=reader.session_ns,
        memory=reader.memory,
        unconsumed=tuple(reader.unconsumed),
        mentions=tuple(reader.mentions),
        switches=tuple(reader.switches),
        accelerators=reader.accelerators,
        errors=tuple(dict.fromkeys(reader.errors)),
        profile=profile_text.parse_profile(text),
    )
    return _with_block(_with_closing(found, reader.closing), reader.block)


@dataclass
class _Reader:
    """Collects while the lines go by."""

    banners: int = 0
    phases: dict[int, Statistics] = field(default_factory=dict)
    closing: dict[str, str] = field(default_factory=dict)
    block: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    session_ns: int | None = None
    memory: Memory = field(default_factory=Memory)
    unconsumed: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    switches: list[tuple[str, str]] = field(default_factory=list)
    accelerators: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)

    def read(self, level: str, words: str) -> None:
        if level == "ERROR" and words and not words.startswith(_NOT_A_REASON):
            self.errors.append(words)
        if words.startswith(_BANNER):
            self.banners += 1
        elif words.startswith("count="):
            self._phase(words)
        elif words.startswith(_UNCONSUMED):
            self.unconsumed += re.split(r" (?=--)", words[len(_UNCONSUMED) :])
        else:
            self._read_rest(words)

    def _phase(self, words: str) -> None:
        """The first line after the first banner is the warm-up, the one after the second is the measured phase."""
        statistics = parse_statistics(words)
        if statistics is not None and self.banners not in self.phases:
            self.phases[self.banners] = statistics

    def _read_rest(self, words: str) -> None:
        if match := _CLOSING.match(words):
            self.closing = dict(pair.rstrip(".").partition(": ")[::2] for pair in match[1].split(", "))
        elif match := _SESSION.match(words):
            self.session_ns = nanoseconds(match[1], 1e6)
        elif match := _DELTA.match(words):
            self.memory = replace(self.memory, init_mb=number(match[1]), overall_mb=number(match[2]))
        elif match := _PEAK.match(words):
            self.memory = replace(self.memory, peak_mb=number(match[1]))
        elif match := _LITERT_ROW.match(words):
            self.block[match[1], match[2] or ""] = (match[3], match[4] or "")
        elif match := _ACCELERATORS.match(words):
            self.accelerators = tuple(filter(None, re.split(r"[,\s]+", match[1])))
        elif (mention := parse_mention(words)) is not None:
            self.mentions.append(mention)
        elif match := _SWITCH.fullmatch(words):
            self.switches.append((match[1], match[2]))


def parse_mention(words: str) -> Mention | None:
    """Read a line about a delegate."""
    if all(word not in words for word in ("delegate", "acceleration", "OpenGL")):
        return None
    for kind, pattern in _MENTIONS:
        match = pattern.search(words)
        if match:
            named = match.groupdict()
            numbers = {key: whole(named.get(key)) for key in ("kernels", "nodes", "total")}
            return Mention(kind, named["name"], words.strip(), **numbers)
    return None


def parse_statistics(words: str) -> Statistics | None:
    """Read one line of statistics: `count=50 first=… avg=… p95=…`, `count=1 curr=N …`, `count=9 curr=N(all same) …`.

    Returns:
        None when nothing was run, or a figure is missing or cannot be read.
    """
    items = dict(token.partition("=")[::2] for token in words.replace("(all same)", "").split())
    count = whole(items.get("count"))
    times = {key: nanoseconds(value) for key, value in items.items() if key != "count"}
    if not count or None in times.values():
        return None
    alone = times.get("curr") if count == 1 or "(all same)" in words else None
    mean = times.get("avg", alone)
    if mean is None:
        return None
    return Statistics(
        count=count,
        mean_ns=mean,
        first_ns=times.get("first", alone),
        min_ns=times.get("min", alone),
        max_ns=times.get("max", alone),
        std_ns=times.get("std"),
        p5_ns=times.get("p5"),
        median_ns=times.get("median", alone),
        p95_ns=times.get("p95"),
    )


def _with_closing(log: TextLog, closing: dict[str, str]) -> TextLog:
    """Add the closing line: `Init: 7072, First inference: 4946, Warmup (avg): 4647.71, Inference (avg): 4041.17`.

    Older: `Warmup: 4647.71, Init: 7072, no stats: 4041.17`, where the last is the mean too.
    """
    mean = closing.get("Inference (avg)") or closing.get("Inference") or closing.get("no stats")
    first = nanoseconds(closing.get("First inference"))
    return replace(
        log,
        init_ns=nanoseconds(closing.get("Init")) or log.init_ns,
        first_ns=first or (log.warm_up.first_ns if log.warm_up else None),
        closing_mean_ns=nanoseconds(mean),
    )


def _with_block(log: TextLog, block: dict[tuple[str, str], tuple[str, str]]) -> TextLog:
    """Add LiteRT's block of results (ms with two decimals) where no line with more digits says the same."""
    if ("Inference", "avg") not in block or log.closing_mean_ns is not None:
        return log
    times = {key: nanoseconds(value, 1e6) for key, (value, _) in block.items()}
    mean, count = times["Inference", "avg"], whole(block["Inference", "avg"][1])
    if mean is None or not count:
        return log
    names = ("min", "max", "std", "p5", "median", "p95")
    figures = {f"{name}_ns": times.get(("Inference", name)) for name in names}
    return replace(
        log,
        steady=log.steady or Statistics(count, mean, **figures),
        closing_mean_ns=log.steady.mean_ns if log.steady else mean,
        init_ns=log.init_ns or times.get(("Model initialization", "")),
        first_ns=log.first_ns or times.get(("Warmup", "first")),
    )
