"""How something is measured: runs, seconds, processes, images.

A setting is a line of `UserSettings`; `harness.option` says all that comes from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated, Literal

from harness.errors import UsageError
from harness.option import ACCURACY, HOW_LONG, WHAT, Option, declared

DEFAULT_MIN_RUNS = 50
DEFAULT_MIN_SECONDS = 1.0
FAR_WINDOW_S = 1.0
"""Least time of steady inferences of a process on a phone or board, where no other time is asked for."""
LEAST_PATIENCE_S = 5.0
MLPERF_MIN_SECONDS = 60.0
"""Least duration of a single-stream run (MLCommons inference policies)."""

BURST_S, LEAST_BURSTS, MOST_BURSTS = 10.0, 12, 400
"""A sustained load by a tool that keeps its samples to itself is one process after the other, each of so many seconds,
and so few that they can be counted."""

CocoEngine = Literal["harness", "hotcoco", "pycocotools"]


# fmt: off
@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """What a user may choose, in the order of `harness run --help`."""

    limit: Annotated[int | None, Option(
        "Only the first so many images.", least=1, noun="image", group=ACCURACY, default="all")] = None
    classes: Annotated[tuple[str, ...], Option(
        "Evaluate only these categories of the data set: names, with commas.", metavar="NAME,…", override=False,
        group=ACCURACY, default="all")] = ()
    accuracy: Annotated[bool, Option(
        "Run models over their datasets.", switch_off="Only latency.", group=WHAT)] = True
    latency: Annotated[bool, Option("Time models.", switch_off="Only accuracy.", group=WHAT)] = True
    min_seconds: Annotated[float, Option(
        "At least so many seconds of steady inferences a cell.", least=0, metavar="SECONDS",
        group=HOW_LONG)] = DEFAULT_MIN_SECONDS
    min_runs: Annotated[int, Option(
        "At least so many steady inferences a cell.", least=1, group=HOW_LONG)] = DEFAULT_MIN_RUNS
    repetitions: Annotated[int, Option(
        "Independent processes a cell.", least=1, most=10_000, group=HOW_LONG,
        default="5, or the device profile's")] = 5
    precision: Annotated[float | None, Option(
        "Measure until the median is known to ± so many percent …", form="percent", least=0.001, group=HOW_LONG,
        default="as many processes as --repetitions")] = None
    max_seconds: Annotated[float, Option(
        "… or for so many seconds a cell.", least=0.001, metavar="SECONDS", group=HOW_LONG)] = 60.0
    mlperf: Annotated[bool, Option(
        "Stop and estimate quantiles as MLPerf's LoadGen does.", group=HOW_LONG)] = False
    switch_models: Annotated[bool, Option(
        "Also time each model right after another one: what switching costs.", group=WHAT)] = False
    sustained: Annotated[float | None, Option(
        "Measure for so long (10m) and show latency over time.", form="duration", least=1, group=HOW_LONG,
        default="a cell takes --min-seconds")] = None
    operators: Annotated[bool, Option(
        "Record the time of each operator too, in one more process that is not timed; see report --operators.",
        group=WHAT)] = False
    seed: Annotated[int, Option("Of the random order of the cells.", override=False, group=HOW_LONG)] = 0
    memory_limit_mb: Annotated[int | None, Option(
        "MiB of memory that a worker may use.", "--memory-limit", least=1, group=HOW_LONG, default="no limit")] = None
    coco_engine: Annotated[CocoEngine, Option(
        "What computes the COCO figures; all give the same.", metavar="NAME", group=ACCURACY)] = "harness"
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Settings(UserSettings):
    """How a cell is measured: what was chosen, and the CPU cores that an accuracy run keeps busy."""

    cores: int = 1

    def __post_init__(self) -> None:
        if not (self.latency or self.accuracy):
            raise UsageError("nothing to do: use just one of --no-latency and --no-accuracy")
        if self.mlperf and self.sustained is not None:
            raise UsageError("use just one of --mlperf and --sustained")
        for one in declared(Settings):
            one.check(getattr(self, one.name))

    @property
    def processes(self) -> int:
        """Independent processes that are measured in any case."""
        return 1 if self.mlperf or self.sustained is not None else self.repetitions

    @property
    def seeks_precision(self) -> bool:
        """Whether processes are added until the median is known well enough."""
        return self.precision is not None and not self.mlperf and self.sustained is None

    @property
    def runs_a_process(self) -> int:
        """Least number of steady inferences of one process."""
        return ceil(self.min_runs / self.processes)

    @property
    def seconds_a_process(self) -> float:
        """Least time of steady inferences of one process."""
        return self.sustained if self.sustained is not None else self.min_seconds / self.processes

    @property
    def seconds_a_burst(self) -> float:
        """Least time of each of the back-to-back processes of a sustained load, where one process gives one figure."""
        whole = self.sustained or 0.0
        return max(min(BURST_S, whole / LEAST_BURSTS), whole / MOST_BURSTS)

    @property
    def patience_s(self) -> float:
        """How long one process is given to settle and to collect its samples."""
        return max(LEAST_PATIENCE_S, 3 * self.seconds_a_process)

    @property
    def watch_s(self) -> float:
        """How long one process that has settled may be watched: its share of `max_seconds`, or longer where it must."""
        return max(self.patience_s, self.max_seconds / self.processes)
