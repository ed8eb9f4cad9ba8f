"""The shell scripts that run benchmark_model on a device, and what they print.

Each is one argument of `sh -c` and takes everything else as further arguments, so nothing is quoted by hand; they keep
to what Android's mksh with toybox, BusyBox and dash understand. A random token at the start of a line marks what is
ours in the output, so no line of the tool can be taken for it. Everything of a run, the telemetry before and after and
the files that the tool wrote included, comes back in the one round trip that ran it.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from harness.drivers.adb.battery_log import read_battery_log
from harness.firmware import READ_FLAGS, parse_flags
from harness.records.telemetry import Battery, MachineState, Telemetry

GAUGE_S = "HARNESS_GAUGE_S"
"""Variable that has the battery's gauge read every so many seconds while the tool runs."""
NO_FOLDER = 97
"""Exit code where no folder could be made on the device."""

_BASE = r"""
for d in /data/local/tmp "${TMPDIR:-}" /tmp "${HOME:-}"; do [ -n "$d" ] && [ -d "$d" ] && [ -w "$d" ] && break; done
[ -n "$d" ] && [ -w "$d" ] || exit 97
real=$(cd "$d" && pwd -P)
for f in $(cd "$d" && find . -maxdepth 1 -name 'harness-run-*' -mmin +30 2>/dev/null); do
  case "$(ls -l /proc/[0-9]*/cwd 2>/dev/null) " in *"-> $real/${f#./}"[!a-z0-9]*) ;; *) rm -rf "$d/${f#./}";; esac
done
"""
"""Where to work, and what runs left there that were killed removed: a folder that nobody wrote to for half an hour, and
that nothing runs in. A batch of images takes less."""

PROBE = (
    "tool=$1"
    + _BASE
    + r"""
echo "base $d"
[ -x "$tool" ] || chmod 755 "$tool"
"$tool" --help=true 2>&1
echo "exit $?"
exit 0
"""
)
"""Once a device and tool: where to work, and the tool's help."""

STATE_FUNCTIONS = r"""
say() { printf '\n%s %s\n' "$token" "$*"; }
if command -v base64 >/dev/null 2>&1; then encode() { base64; }; code_name=base64
else encode() { od -An -v -tx1; }; code_name=hex; fi
send() { if [ -s "$1" ]; then say file "$1" "$code_name"; encode < "$1"; fi; }
state() {
  say state "$1"
  for f in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq; do
    if [ -r "$f" ] && read -r v < "$f"; then echo "khz $v"; fi; done 2>/dev/null
  for f in /sys/class/thermal/thermal_zone*/temp; do
    if [ -r "$f" ] && read -r v < "$f"; then echo "temp $v"; fi; done 2>/dev/null
  for f in temp capacity status; do p=/sys/class/power_supply/battery/$f
    if [ -r "$p" ] && read -r v < "$p"; then echo "battery_$f $v"; fi; done 2>/dev/null
  p=/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
  if [ -r "$p" ] && read -r v < "$p"; then echo "governor $v"; fi 2>/dev/null
  v=$(__FIRMWARE__)
  if [ -n "$v" ]; then echo "firmware $v"; fi
}
gauge() {
  b=/sys/class/power_supply/battery
  read -r up rest < /proc/uptime && echo "at $up"
  if [ -r $b/status ] && [ -r $b/voltage_now ]; then
    for f in status current_now voltage_now charge_counter; do
      if [ -r $b/$f ] && read -r v < $b/$f; then echo "$f $v"; fi; done
  else dumpsys battery; fi
}
watch() { while [ -e watching ]; do gauge; sleep "$1"; done > battery.txt 2>/dev/null; }
link() { mkdir -p lib; while [ "$n" -gt 0 ]; do ln -sf "$1" "lib/${1##*/}"; shift; n=$((n-1)); done; }
""".replace("__FIRMWARE__", READ_FLAGS)
"""What tells of the machine, in sections that `token` marks, and links `n` libraries."""

ONE_RUN = (
    r"""
token=$1 w=$2 input=$3 check=$4 n=$5 base=; shift 5
if [ -z "$w" ]; then
"""
    + _BASE
    + r"""
base=$d w=$d/harness-run-$token
fi
mkdir "$w" && cd "$w" || exit 97
trap 'cd /; rm -rf "$w"' EXIT
"""
    + STATE_FUNCTIONS
    + r"""
libraries=$n; link "$@"; shift "$libraries"
[ -z "$base" ] || say base "$base"
[ -z "$input" ] || ln -s "$input" in.bin
[ -z "$check" ] || [ -e "$check" ] || say missing "$check"
state before
if [ -n "${HARNESS_GAUGE_S:-}" ]; then : > watching; watch "$HARNESS_GAUGE_S" </dev/null >/dev/null 2>&1 & fi
say tool
"$@"
code=$?
say code "$code"
state after
if [ -e watching ]; then rm -f watching; say gauge; cat battery.txt 2>/dev/null; fi
send result.pb; send graph.pb; send operators.pb
exit 0
"""
)
"""One process of the tool in a folder of its own, gone afterwards; without a folder's name it finds a place."""

BATCH = (
    r"""
token=$1 w=$2 batch=$3 size=$4 images=$5 n=$6; shift 6
mkdir -p "$w" && cd "$w" || exit 97
rm -f outputs.bin
"""
    + STATE_FUNCTIONS
    + r"""
libraries=$n; link "$@"; shift "$libraries"
i=0 code=0 first=
while [ "$i" -lt "$images" ]; do
  rm -f in.bin out.bin
  told=$(dd if="$batch" of=in.bin bs="$size" skip="$i" count=1 2>&1) || {
    echo "$told" >&2; say unread "$i"; code=98; break; }
  "$@" > log 2>&1; code=$?
  told=$(grep -i delegate log | sort | cksum)
  if [ "$told" != "$first" ] || [ "$code" -ne 0 ]; then first=$told; say tool; cat log; fi
  if [ "$code" -ne 0 ]; then say code "$code"; break; fi
  cat out.bin >> outputs.bin || { say unwritten "$i"; code=99; break; }
  i=$((i+1))
  say done "$i"
done
[ "$code" -ne 0 ] || say code 0
send graph.pb
rm -f in.bin out.bin log "$batch"
exit 0
"""
)
"""One process of the tool an image, of many images; leaves the outputs one after the other in `outputs.bin`. The log is
passed on for the first image, and again whenever it says something else of delegates."""

EVAL = r"""
token=$1 w=$2 images=$3; shift 3
mkdir -p "$w" && cd "$w" || exit 97
say() { printf '\n%s %s\n' "$token" "$*"; }
rm -rf images; mkdir images && tar -xf "$images" -C images || { say unread 1; exit 0; }
say tool
"$@"
say code "$?"
rm -rf images "$images"
exit 0
"""
"""A batch of images through the evaluation tool."""

CLEAN = 'rm -rf "$1"'


@dataclass(frozen=True)
class RunReport:
    """What a script printed.

    Attributes:
        tool: What the tool printed, once for each time the script passed it on.
        exit_code: The tool's; None when it never ended.
        files: Files that the tool wrote, by name.
        telemetry: Of the device, before and after the tool ran.
        missing: What should be on the device and is not.
        done: Images that were inferred.
        problem: What the script itself could not do.
        base: Where the script found a place to work, if it had to look for one.
    """

    tool: tuple[str, ...] = ()
    exit_code: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    telemetry: Telemetry = field(default_factory=Telemetry)
    missing: tuple[str, ...] = ()
    done: int = 0
    problem: str = ""
    base: str = ""


def new_token() -> str:
    """Return a token that no output holds by accident."""
    return f"harness-{secrets.token_hex(8)}"


def read_report(stdout: str, token: str) -> RunReport:
    """Read a script's output."""
    sections = _sections(stdout, token)
    logs: list[str] = []
    missing: list[str] = []
    files: dict[str, bytes] = {}
    states: dict[str, str] = {}
    exit_code: int | None = None
    done, problem, base = 0, "", ""
    for words, body in sections:
        match words:
            case ["tool"]:
                logs.append(body)
            case ["code", code] if code.isdecimal():
                exit_code = int(code)
            case ["state", when]:
                states[when] = body
            case ["file", name, coding]:
                files[name] = _decoded(body, coding)
            case ["base", *path]:
                base = " ".join(path)
            case ["missing", *path]:
                missing.append(" ".join(path))
            case ["done", n] if n.isdecimal():
                done = int(n)
            case ["unread" | "unwritten" as what, n]:
                problem = (
                    f"the {'input' if what == 'unread' else 'output'} of image {n} of the batch is not there"
                )
    gauge = "".join(body for words, body in sections if words == ["gauge"])
    telemetry = replace(_telemetry(states), power=read_battery_log(gauge))
    return RunReport(tuple(logs), exit_code, files, telemetry, tuple(missing), done, problem, base)


def _sections(stdout: str, token: str) -> list[tuple[list[str], str]]:
    found: list[tuple[list[str], list[str]]] = []
    for line in stdout.splitlines(keepends=True):
        if line.startswith(f"{token} "):
            found.append((line.split()[1:], []))
        elif found:
            found[-1][1].append(line)
    return [(words, "".join(lines)) for words, lines in found]


def _decoded(body: str, coding: str) -> bytes:
    """Return the bytes; none where they are damaged, which is as if the tool had not written the file."""
    text = "".join(body.split())
    try:
        return bytes.fromhex(text) if coding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _telemetry(states: Mapping[str, str]) -> Telemetry:
    """Read what the script printed of the device, by `before` and `after`."""
    before, after = (_state(_rows(states[when])) if when in states else None for when in ("before", "after"))
    governors = [value for body in states.values() for key, value in _rows(body) if key == "governor"]
    return Telemetry(before=before, after=after, governor=governors[-1] if governors else None)


def _rows(body: str) -> list[tuple[str, str]]:
    parted = (line.partition(" ") for line in body.splitlines() if " " in line)
    return [(key, value) for key, _, value in parted]


def _state(rows: Sequence[tuple[str, str]]) -> MachineState:
    khz, temperatures = _numbers(rows, "khz"), _numbers(rows, "temp")
    # Zones that are switched off say 0 or nonsense; most count in thousandths of a degree, some in degrees.
    celsius = [t / 1000 if t >= 1000 else t for t in temperatures if 0 < t < 150_000]
    words = dict(rows)
    battery = Battery(**{key: words.get(f"battery_{key}") for key in ("temp", "capacity", "status")})
    return MachineState(
        mhz=max(khz) / 1000 if khz else None,
        celsius=max(celsius) if celsius else None,
        firmware_flags=parse_flags(words.get("firmware", "")),
        battery=None if battery == Battery() else battery,
    )


def _numbers(rows: Sequence[tuple[str, str]], name: str) -> list[float]:
    return [float(value) for key, value in rows if key == name and value.lstrip("-").isdecimal()]
