"""Read what LiteRT's `apply_plugin_main` prints with Qualcomm's plugin: what was taken, what was refused, and why.

Standard error holds LiteRT's lines (`LEVEL: [file.cc:line] words`, with blocks of several lines), standard output
QNN's own, which overwrite each other at times. As ai-edge-litert 2.3.0 with QNN 2.51 writes them; a line of another
form is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_PARTITIONED = re.compile(
    r"Partitioned subgraph<(?P<subgraph>[0-9]{1,6})>, selected (?P<taken>[0-9]{1,9}) ops, from a total of "
    r"(?P<total>[0-9]{1,9}) ops\. resulted in (?P<partitions>[0-9]{1,9}) partitions\."
)
_REFUSED = re.compile(r"^LiteRT Op #(?P<index>[0-9]{1,9}) '(?P<name>[^']*)' \(code=[0-9]+\) is not supported")
_VALIDATED = re.compile(
    r"^QNN op validation failed: '(?P<node>[^']*)' \(type=(?P<type>\w+)(?:, operation=(?P<operation>\w+))?\)"
)
_TENSOR = re.compile(r'^\s+\[[0-9]{1,6}\] name="(?P<name>.*)"\s+tensor_idx=(?P<index>-?[0-9]{1,9})')
_VALUE = re.compile(
    r'^\s+\[[0-9]{1,6}\] name=".*" dtype=QNN_DATATYPE_(?P<type>\w+) dims=\[(?P<dims>(?:[0-9]{1,9},?){0,32})\]'
    r"(?P<quantized>.*)"
)
_SDK = re.compile(r"SDK version: (?P<version>\S+)")
_SOC = re.compile(r"Compiling QNN SoC target: (?P<soc>\S+)")
_BINARY = re.compile(r"Serialized a context bin of size \(bytes\): (?P<size>[0-9]{1,12})")
_VERSIONS = re.compile(
    r"\] (?P<library>Qnn .*?)version (?P<found>\S+) is used\. The version LiteRT using is (?P<expected>\S+?)\.?$",
    re.I,
)
_LITERT = re.compile(r"^(?P<level>ERROR|WARNING): \[[^\]]*\] ?(?P<words>.*)")
_QNN_ERROR = re.compile(r"\[ ERROR \]\s+<E> (?P<words>.+)")
_DEPTH = re.compile(r"^└ (?P<words>.*)")
_NOISE = ("ERROR: [", "Failed to validate op", "NPU accelerator could not be loaded")
"""Lines that only say where LiteRT's code gave up or repeat a block, and one that every compilation prints."""


@dataclass(frozen=True)
class Value:
    """A tensor as QNN sees it: `FLOAT_32`, `SFIXED_POINT_8`, …, and how it is quantized in its words."""

    type: str
    shape: tuple[int, ...]
    quantized: str = ""


@dataclass(frozen=True)
class Refusal:
    """An operator that the compiler refuses.

    Attributes:
        index: Its place in the model.
        name: In LiteRT's words for Qualcomm: `Conv2d`.
        inputs: Names of the tensors it reads.
        outputs: Names of the tensors it writes.
        node: QNN's node that failed its validation, as `Conv2d`, `ElementWiseNeuron/ReluMinMax`; empty for none.
        values: What that node reads, in order.
        results: What it writes.
        says: QNN's own words on this node.
    """

    index: int
    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    node: str = ""
    values: tuple[Value, ...] = ()
    results: tuple[Value, ...] = ()
    says: str = ""


@dataclass(frozen=True)
class CompilerLog:
    """What one compilation printed. Unknown is None.

    Attributes:
        taken: Operators that it selected.
        operators: Of all.
        partitions: Parts that they form.
        refused: Operators that it names as not supported.
        binaries: Bytes of each binary, in order.
        sdk: QNN's version.
        soc: The chip that it compiled for; None where it knows no such chip.
        problems: Errors that belong to no operator.
        version_remarks: Libraries whose version is not the one that LiteRT was built with.
        remarks: Warnings and errors on the way, which may explain operators that are named nowhere.
    """

    taken: int | None = None
    operators: int | None = None
    partitions: int | None = None
    refused: tuple[Refusal, ...] = ()
    binaries: tuple[int, ...] = ()
    sdk: str | None = None
    soc: str | None = None
    problems: tuple[str, ...] = ()
    version_remarks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def parse(stderr: str, stdout: str = "") -> CompilerLog:
    """Read a compilation's output.

    Args:
        stderr: LiteRT's lines.
        stdout: QNN's lines.
    """
    counts = list(_PARTITIONED.finditer(stderr))
    sdk, soc = _SDK.search(stderr), _SOC.search(stderr)
    said = _said(stdout)
    refused = tuple(replace(one, says=said.get(node, "")) for node, one in _refusals(stderr.splitlines()))
    return CompilerLog(
        taken=sum(int(found["taken"]) for found in counts) if counts else None,
        operators=sum(int(found["total"]) for found in counts) if counts else None,
        partitions=sum(int(found["partitions"]) for found in counts) if counts else None,
        refused=refused,
        binaries=tuple(int(found["size"]) for found in _BINARY.finditer(stderr)),
        sdk=sdk["version"] if sdk else None,
        soc=soc["soc"] if soc else None,
        problems=tuple(dict.fromkeys([*_lines(stderr, "ERROR"), *_general(stdout)])),
        version_remarks=tuple(dict.fromkeys(_versions(stderr))),
        remarks=tuple(dict.fromkeys(_lines(stderr, "WARNING"))),
    )


def _refusals(lines: list[str]) -> Iterator[tuple[str, Refusal]]:
    """Yield each refused operator with the name of QNN's node: its validation stands in the block above it."""
    node, failed = "", Refusal(0, "")
    for at, line in enumerate(lines):
        validated, refused = _VALIDATED.match(line), _REFUSED.match(line)
        if validated:
            node, failed = validated["node"], _validated(validated, lines, at)
        elif refused:
            ins, outs = _block(lines, at, _TENSOR)
            yield (
                node,
                replace(
                    failed,
                    index=int(refused["index"]),
                    name=refused["name"],
                    inputs=tuple(found["name"] for found in ins),
                    outputs=tuple(found["name"] for found in outs),
                ),
            )
            node, failed = "", Refusal(0, "")


def _validated(found: re.Match[str], lines: list[str], at: int) -> Refusal:
    ins, outs = _block(lines, at, _VALUE)
    name = "/".join(filter(None, (found["type"], found["operation"])))
    return Refusal(0, "", node=name, values=tuple(map(_value, ins)), results=tuple(map(_value, outs)))


def _value(found: re.Match[str]) -> Value:
    shape = tuple(int(size) for size in found["dims"].split(",") if size)
    return Value(found["type"], shape, found["quantized"].strip(" ()"))


def _block(
    lines: list[str], at: int, form: re.Pattern[str]
) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
    """Return what stands under `Inputs:` and `Outputs:` below a heading."""
    found: dict[str, list[re.Match[str]]] = {"Inputs:": [], "Outputs:": []}
    part = ""
    for line in lines[at + 1 :]:
        if line.strip() in found:
            part = line.strip()
        elif part and (match := form.match(line)):
            found[part].append(match)
        else:
            break
    return found["Inputs:"], found["Outputs:"]


def _said(stdout: str) -> dict[str, str]:
    """Return what QNN says of its nodes, the first words on each."""
    found: dict[str, str] = {}
    for words in _qnn_errors(stdout):
        node = re.search(r"in the node '([^']*)'", words) or re.search(r"validator (\w+):", words)
        if node is not None:
            found.setdefault(node[1], words)
    return found


def _general(stdout: str) -> Iterator[str]:
    """Yield QNN's errors that are of no node: why a graph that was selected cannot be built."""
    for words in _qnn_errors(stdout):
        if words.startswith(("Op ", "Failed to ")):
            yield words


def _qnn_errors(stdout: str) -> Iterator[str]:
    for found in _QNN_ERROR.finditer(stdout):
        yield found["words"].strip()


def _lines(stderr: str, level: str) -> Iterator[str]:
    """Yield LiteRT's words of one level that belong to no block, and what stands below a bare place of its code."""
    for line in stderr.splitlines():
        found, deeper = _LITERT.match(line), _DEPTH.match(line)
        if deeper and level == "ERROR":
            yield deeper["words"]
        if found and found["level"] == level:
            words = found["words"].strip()
            if words and not words.startswith(_NOISE) and not _VERSIONS.search(line):
                yield words


def _versions(stderr: str) -> Iterator[str]:
    for line in stderr.splitlines():
        found = _VERSIONS.search(line)
        if found:
            yield f"{found['library'].strip()} is version {found['found']}, LiteRT was built with {found['expected']}"
