"""What the scripts print is read back, whatever the tool prints between."""

import base64
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bench.engines.native.scripts import BATCH, EVAL, ONE_RUN, PROBE, new_token, read_report
from harness.records.telemetry import Battery, MachineState, Telemetry

T = "harness-0123456789abcdef"
SHELLS = [
    shell for shell in ("sh", "dash", "bash --posix", "busybox sh", "mksh") if shutil.which(shell.split()[0])
]
"""Android's shell is mksh, that of most boards BusyBox; as many as are installed."""


def test_a_whole_output_is_read():
    body = base64.b64encode(bytes(range(256))).decode()
    text = "\n".join(
        [
            *(
                "noise before",
                f"{T} state before",
                "khz 1800000",
                "khz 2400000",
                "temp 41000",
                "temp 0",
                "governor x",
            ),
            *(
                "battery_temp 310",
                f"{T} tool",
                "INFO: STARTING!",
                f" {T} code 9",
                "count=1",
                "",
                f"{T} code 139",
            ),
            *(
                f"{T} state after",
                "khz 600000",
                "temp 55",
                f"{T} file result.pb base64",
                body[:76],
                body[76:],
            ),
            *("", f"{T} file graph.pb hex", " 00 ff", " 10", f"{T} missing /a b/lib.so", f"{T} done 7"),
        ]
    )
    report = read_report(text, T)
    assert report.tool == (f"INFO: STARTING!\n {T} code 9\ncount=1\n\n",)
    assert report.exit_code == 139
    assert report.files == {"result.pb": bytes(range(256)), "graph.pb": b"\x00\xff\x10"}
    assert report.missing == ("/a b/lib.so",)
    assert report.done == 7
    battery = Battery(temp="310")
    assert report.telemetry == Telemetry(
        before=MachineState(mhz=2400.0, celsius=41.0, battery=battery),
        after=MachineState(mhz=600.0, celsius=55.0),
        governor="x",
    )


def test_an_output_that_was_cut_has_no_exit_code():
    report = read_report(f"{T} tool\nINFO: count", T)
    assert (report.exit_code, report.tool) == (None, ("INFO: count",))


def test_a_damaged_file_is_as_if_it_was_not_written():
    assert read_report(f"{T} file a base64\n!!!\n{T} file b hex\nzz\n", T).files == {"a": b"", "b": b""}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([T, " ", "\n", "code", "file a base64", "tool", "done", "state before", "7"])
        | st.text()
    )
)
def test_no_output_whatever_raises(parts):
    read_report("".join(parts), T)


def test_tokens_differ():
    assert len({new_token() for _ in range(100)}) == 100


@pytest.mark.parametrize("script", [PROBE, ONE_RUN, BATCH, EVAL], ids=["probe", "one-run", "batch", "eval"])
@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_is_understood_by_plain_shells(shell, script):
    argv = [*shell.split(), "-n", "-c", script]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert (checked.returncode, checked.stderr) == (0, "")
