"""Everything one run of benchmark_model left → one `ToolOutput`.

The exit code comes first: a `count=` line is printed even when every inference failed. Then the numbers: from the
result file where it agrees with the log, else from the log, and only when they can be true.
"""

from __future__ import annotations

import signal
from dataclasses import replace

from harness.drivers.benchmark_tool import protos
from harness.drivers.benchmark_tool.facts import Statistics, TextLog, ToolOutput
from harness.drivers.benchmark_tool.protos import BenchmarkResult
from harness.drivers.benchmark_tool.text_log import parse_log
from harness.vocabulary import Status

_MAX_ERRORS = 4
_SHELL_SIGNAL = 128
_INPUT_REFUSALS = (
    "more than one delimiter",
    "Wrong input value file item",
    "Input tensor #",
    "unknown sizes in",
)
"""What the tool says where it does not take the input it is given by name, shape and file."""
_SAME = 1e-5
"""The log has six significant digits."""


def parse(
    stdout: str,
    stderr: str,
    exit_code: int | None,
    result: bytes | None = None,
    graph: bytes | None = None,
    profile: bytes | None = None,
    *,
    timed_out: bool = False,
) -> ToolOutput:
    """Read one run of the tool.

    Args:
        stdout: What it printed, alone or with standard error merged in.
        stderr: What it printed there.
        exit_code: As the device gives it; negative for a signal; None when it is unknown.
        result: The content of `--result_file_path`.
        graph: The content of `--model_runtime_info_output_file`.
        profile: The content of `--op_profiling_output_file` in mode `proto`.
        timed_out: Whether it was killed because its time was up.
    """
    log = parse_log(f"{stdout}\n{stderr}")
    found = ToolOutput(
        status=Status.OK,
        exit_code=exit_code,
        log=log,
        warm_up=log.warm_up,
        init_ns=log.init_ns,
        first_ns=log.first_ns,
        memory=log.memory,
        graph=protos.parse_graph(graph) if graph else None,
        profile=(protos.parse_profile(profile) if profile else None) or log.profile,
    )
    if timed_out:
        return replace(
            found, status=Status.TIMEOUT, reasons=("benchmark_model was killed: it took too long",)
        )
    if exit_code != 0:
        return replace(found, status=Status.FAILED, reasons=(why_failed(exit_code, log),))
    return _with_numbers(found, protos.parse_result(result) if result else None)


def _with_numbers(found: ToolOutput, result: BenchmarkResult | None) -> ToolOutput:
    log = found.log
    notes: tuple[str, ...] = ()
    if result is not None and not _agree(result, log):
        notes = ("the result file does not fit the log and is left aside",)
        result = None
    if result is not None:
        first = log.steady.first_ns if log.steady else None
        return replace(
            found,
            steady=replace(result.steady, first_ns=first),
            init_ns=log.init_ns or result.init_ns,
            first_ns=log.first_ns or result.first_ns,
            memory=result.memory,
            notes=notes,
        )
    problem = _why_unusable(log)
    if problem is not None:
        return replace(found, status=Status.FAILED, reasons=(problem,), notes=notes)
    return replace(found, steady=log.steady, notes=notes)


def _agree(result: BenchmarkResult, log: TextLog) -> bool:
    if not result.steady.consistent:
        return False
    if log.steady is None:
        return log.closing_mean_ns is None or _same(result.steady.mean_ns, log.closing_mean_ns)
    return result.steady.count == log.steady.count and _same(result.steady.mean_ns, log.steady.mean_ns)


def _same(first: int, second: int) -> bool:
    return abs(first - second) <= max(1, _SAME * max(first, second))


def _why_unusable(log: TextLog) -> str | None:
    """Say why the log of a run that ended well holds no figure that can be relied on."""
    if log.steady is None:
        nothing = log.closing_mean_ns == 0
        return "no inference was timed" if nothing else "the log holds no statistics of the measured phase"
    if log.closing_mean_ns is None:
        return "the log ends before its closing line, so it is not whole"
    if not (log.steady.consistent and _same(log.closing_mean_ns, log.steady.mean_ns)):
        return f"the log contradicts itself, so it is damaged ({_words(log.steady)})"
    return None


def _words(steady: Statistics) -> str:
    return f"mean {steady.mean_ns} ns, minimum {steady.min_ns} ns, maximum {steady.max_ns} ns"


def why_failed(exit_code: int | None, log: TextLog) -> str:
    """Say in words how the tool ended, with the first of its error messages."""
    told = "; ".join(log.errors[:_MAX_ERRORS])
    return f"benchmark_model {how_it_ended(exit_code)}{': ' + told if told else ''}"


def refused_input(log: TextLog) -> str | None:
    """Return the line by which the tool refuses an input from a file; None where it does not."""
    return next((line for line in log.errors if any(words in line for words in _INPUT_REFUSALS)), None)


def how_it_ended(exit_code: int | None) -> str:
    """Put an exit code into words; a shell gives 128 + n for signal n."""
    if exit_code is None:
        return "was lost before its exit code was known"
    number = -exit_code if exit_code < 0 else exit_code - _SHELL_SIGNAL
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit code {exit_code}"
    return (
        f"crashed with {name}"
        if name in {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"}
        else f"died of {name}"
    )
