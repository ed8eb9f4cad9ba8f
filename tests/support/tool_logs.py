"""Logs of benchmark_model and its evaluation tools, as they are collected."""

from dataclasses import dataclass

from tests.support.paths import REPOSITORY

TABLES = REPOSITORY / "tests" / "drivers" / "benchmark_tool"
OTHERS = {
    # files that are no log of benchmark_model itself, each with a test of its own
    "py_benchmark_litert_default.txt",
    "py_benchmark_litert_help.txt",
    "model_runtime_info.decoded_head.txt",
    "op_profiling_csv_file.output.csv",
    "op_profiling_old_csv_flag.output.csv",
    "op_profiling_proto_file.decoded_head.txt",
    "op_profiling_proto_file.output.pb",
    "op_profiling_text_file.output.txt",
    "result_file_path.decoded.txt",
    "result_file_path.result.pb",
}


def read_table(name):
    lines = [x for x in (TABLES / name).read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in lines[1:]]


MEASURED = read_table("measured.txt")
FAILED = read_table("failed.txt")


@dataclass(frozen=True)
class Log:
    """A log of the collection: the first line is the command, the last line `exit=N`."""

    command: str
    stdout: str
    stderr: str
    exit_code: int


def split_log(text: str) -> Log:
    command, _, rest = text.partition("\n")
    body, _, code = rest.rstrip("\n").rpartition("exit=")
    out, _, err = body.removeprefix("##### stdout\n").partition("##### stderr\n")
    return Log(command, out, err, int(code))
