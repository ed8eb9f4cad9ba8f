"""What the native worker answers: frames of four letters, a length, and so many bytes; all numbers are little-endian.

    HELO  its first word: protocol, build, ABI, process
    INFO  the compiled model, and what LiteRT says of itself; TENS one tensor of it
    STAT  the state of the machine; SAMP a stretch of the trace of inferences; OUTP one image's outputs; TEXT a text
    DONE  a command is carried out; FAIL it is not, and the worker has ended

Texts are lines of a key, a space and a value; `job.escape` puts a value of several on one. Standard error is
LiteRT's own log, in which the worker marks its stages (`stage_lines`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.errors import MeasurementError
from harness.native.job import VERSION, unescape

Int64s = npt.NDArray[np.int64]

MOST_BYTES = 1 << 30
"""Of one frame: more is no frame."""
OWN = "ondevice-harness: "
STAGE = f"{OWN}stage "
_HEADER = struct.Struct("<4sI")
_UNKNOWN = -(2**63)
_ALL_ROWS = 0xFFFFFFFF
_DTYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float16",
    11: "float64",
}
"""LiteRtElementType; each is TfLiteType's number."""


class ProtocolError(MeasurementError):
    """What came from the worker is no answer of it."""


@dataclass(frozen=True)
class Hello:
    """The worker's first word.

    Attributes:
        build: SHA-256 of the source that it was built from.
        abi: `x86_64` or `arm64`.
        system: `linux` or `android`.
        pid: Its process.
    """

    build: str
    abi: str
    system: str
    pid: int


@dataclass(frozen=True)
class Accelerator:
    """One that is registered with LiteRT: its name, its kinds of hardware as LiteRT's bits, and its version."""

    name: str
    hardware: int
    version: str


@dataclass(frozen=True)
class Compiled:
    """A compiled model.

    Attributes:
        interface: LiteRT's minor version, told by the functions that its library exports.
        init_ns: Environment, model and compilation.
        memory_before_bytes: The process's peak before that.
        accelerators: What is registered; that says nothing of what ran.
        fully_accelerated: As LiteRT says it; true of a model that runs on the CPU only, so it proves nothing.
        non_cpu_fully_accelerated: Whether nothing is left to the CPU; None where LiteRT does not say.
        signature: The key of the signature that runs.
        operators: Operators of the main graph, as they are in the file; None where LiteRT does not say.
    """

    interface: str
    init_ns: int
    memory_before_bytes: int | None
    accelerators: tuple[Accelerator, ...]
    fully_accelerated: bool | None
    non_cpu_fully_accelerated: bool | None
    signature: str
    operators: int | None


@dataclass(frozen=True)
class Tensor:
    """An input or output of the compiled model.

    Attributes:
        side: `input` or `output`.
        index: Its place among them, in the signature's order.
        tensor: Its number in the file, as an interpreter counts.
        name: As the file has it.
        dtype: NumPy's name.
        shape: As LiteRT lays it out once memory is allocated.
        scale: Quantization scale; None where it is not quantized.
        zero_point: Likewise.
        n_bytes: Without padding.
        buffer: LiteRT's kind of buffer: 1 is host memory.
    """

    side: str
    index: int
    tensor: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    n_bytes: int
    buffer: int


@dataclass(frozen=True)
class State:
    """The machine at one moment. Unknown is None.

    Attributes:
        clock_ns: CLOCK_MONOTONIC.
        process_cpu_ns: CPU time of the worker.
        peak_bytes: Its peak of resident memory.
        probe_ns: A fixed piece of work, the shortest of seven times.
        busy_ns: What all processors together worked since they were started.
        mhz: The fastest clock.
        celsius: The hottest zone.
        zones_celsius: All zones that give a temperature.
        clocks_mhz: All processors' clocks.
    """

    clock_ns: int
    process_cpu_ns: int | None
    peak_bytes: int | None
    probe_ns: int | None
    busy_ns: int | None
    mhz: float | None
    celsius: float | None
    zones_celsius: tuple[float, ...] = ()
    clocks_mhz: tuple[float, ...] = ()


@dataclass(frozen=True)
class Samples:
    """A stretch of the one trace of a session's inferences.

    Attributes:
        first: Index of the first of them in the trace; 0 is the model's first inference.
        starts_ns: CLOCK_MONOTONIC.
        durations_ns: From host memory to host memory.
    """

    first: int
    starts_ns: Int64s
    durations_ns: Int64s


@dataclass(frozen=True)
class Outputs:
    """What one image gave.

    Attributes:
        number: What `infer` was told.
        duration_ns: Of the inference.
        tensors: By the output's index; of rows that were cut, shape (kept, row).
        rows: Indices of the kept rows, ascending; None where outputs are whole.
    """

    number: int
    duration_ns: int
    tensors: dict[int, npt.NDArray[np.generic]]
    rows: npt.NDArray[np.uint32] | None


@dataclass(frozen=True)
class Text:
    """A text, such as LiteRT's summary of operators."""

    text: str


@dataclass(frozen=True)
class Done:
    """A command that was carried out."""

    command: str


@dataclass(frozen=True)
class Failure:
    """Why the worker ended.

    Attributes:
        reason: `job`, `version`, `library`, `symbol`, `environment`, `model`, `compile`, `tensor`, `input`, `run`,
            `output`, `memory`, `file`, `timeout` or `internal`.
        message: In words.
        function: The call of LiteRT that was refused; None where it was none.
        status: LiteRT's status.
        line: The line of the job.
    """

    reason: str
    message: str
    function: str | None = None
    status: int | None = None
    line: int | None = None


Answer = Hello | Compiled | Tensor | State | Samples | Outputs | Text | Done | Failure


@dataclass
class FrameReader:
    """Reads answers from bytes as they come.

    >>> list(FrameReader().feed(b"DONE" + bytes([4, 0, 0, 0]) + b"time"))
    [Done(command='time')]
    """

    _pending: bytearray = field(default_factory=bytearray)

    @property
    def is_between_frames(self) -> bool:
        """Whether all that came was whole frames."""
        return not self._pending

    def feed(self, data: bytes) -> Iterator[Answer]:
        """Add bytes, and return the answers that are complete.

        Raises:
            ProtocolError: They are no answers of the worker's.
        """
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._pending)
            if kind not in _READERS or length > MOST_BYTES:
                raise ProtocolError(
                    f"the worker on the device answered with {bytes(self._pending[:40])!r}, no frame of its own"
                )
            end = _HEADER.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEADER.size : end])
            del self._pending[:end]
            yield read_frame(kind, payload)


def read_frame(kind: bytes, payload: bytes) -> Answer:
    """Read one frame.

    Raises:
        ProtocolError: It is none of the worker's.
    """
    try:
        return _READERS[kind](payload)
    except (ValueError, KeyError, IndexError, OverflowError, struct.error) as error:
        raise ProtocolError(
            f"a frame {kind.decode('ascii', 'replace')} of {len(payload)} bytes from the worker on the device cannot "
            f"be read: {error}"
        ) from error


def stage_lines(log: str, stage: str) -> list[str]:
    """Return what LiteRT logged in a stage: `library`, `compile`, `compiled`, `time`, `infer` or `end`."""
    found: list[str] = []
    inside = False
    for line in log.splitlines():
        if line.startswith(STAGE):
            inside = line == STAGE + stage
        elif inside:
            found.append(line)
    return found


class _Lines:
    """The keys and values of a text frame."""

    def __init__(self, payload: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        for line in payload.decode("utf-8", "replace").split("\n")[:-1]:
            key, _, value = line.partition(" ")
            self._values.setdefault(key, []).append(unescape(value))

    def all(self, key: str) -> list[str]:
        return self._values.get(key, [])

    def text(self, key: str) -> str:
        return self._values[key][0]

    def number(self, key: str) -> int:
        return int(self.text(key))

    def optional(self, key: str) -> str | None:
        return self.all(key)[0] if self.all(key) else None

    def optional_number(self, key: str) -> int | None:
        return self.number(key) if self.all(key) else None

    def optional_flag(self, key: str) -> bool | None:
        return {"0": False, "1": True}[self.text(key)] if self.all(key) else None


def _read_hello(payload: bytes) -> Hello:
    lines = _Lines(payload)
    if lines.number("protocol") != VERSION:
        raise ValueError(f"it speaks protocol {lines.text('protocol')}, expected {VERSION}")
    return Hello(lines.text("build"), lines.text("abi"), lines.text("os"), lines.number("pid"))


def _read_info(payload: bytes) -> Compiled:
    lines = _Lines(payload)
    accelerators = [value.rsplit(" ", 2) for value in lines.all("accelerator")]
    return Compiled(
        interface=lines.text("interface"),
        init_ns=lines.number("init_ns"),
        memory_before_bytes=lines.optional_number("memory_before_bytes"),
        accelerators=tuple(Accelerator(name, int(bits), version) for name, bits, version in accelerators),
        fully_accelerated=lines.optional_flag("fully_accelerated"),
        non_cpu_fully_accelerated=lines.optional_flag("non_cpu_fully_accelerated"),
        signature=lines.optional("signature") or "",
        operators=lines.optional_number("operators"),
    )


def _read_tensor(payload: bytes) -> Tensor:
    lines = _Lines(payload)
    scale = lines.optional("scale")
    return Tensor(
        side=lines.text("side"),
        index=lines.number("index"),
        tensor=lines.number("tensor"),
        name=lines.text("name"),
        dtype=lines.text("dtype"),
        shape=tuple(int(size) for size in lines.text("shape").split(",") if size),
        scale=None if scale is None else float(np.float32(scale)),
        zero_point=lines.optional_number("zero_point"),
        n_bytes=lines.number("bytes"),
        buffer=lines.number("buffer"),
    )


def _read_state(payload: bytes) -> State:
    numbers = np.frombuffer(payload, "<i8").tolist()
    clock, cpu, peak, probe, busy, khz, hottest, n_zones = numbers[:8]
    zones = numbers[8 : 8 + n_zones]
    n_clocks, clocks = numbers[8 + n_zones], numbers[9 + n_zones :]
    if n_clocks != len(clocks) or len(zones) != n_zones:
        raise ValueError(f"{n_clocks} clocks and {n_zones} zones do not fit into it")
    return State(
        clock_ns=clock,
        process_cpu_ns=_known(cpu),
        peak_bytes=_known(peak),
        probe_ns=_known(probe),
        busy_ns=_known(busy),
        mhz=None if khz == _UNKNOWN else khz / 1e3,
        celsius=None if hottest == _UNKNOWN else hottest / 1e3,
        zones_celsius=tuple(zone / 1e3 for zone in zones),
        clocks_mhz=tuple(each / 1e3 for each in clocks),
    )


def _known(number: int) -> int | None:
    return None if number == _UNKNOWN else number


def _read_samples(payload: bytes) -> Samples:
    numbers = np.frombuffer(payload, "<i8")
    first, n = int(numbers[0]), int(numbers[1])
    if numbers.size != 2 + 2 * n:
        raise ValueError(f"{n} samples do not fit into it")
    return Samples(first, numbers[2 : 2 + n].astype(np.int64), numbers[2 + n :].astype(np.int64))


def _read_outputs(payload: bytes) -> Outputs:
    number, duration, n_tensors, n_kept = struct.unpack_from("<qqII", payload)
    place, rows = 24, None
    if n_kept != _ALL_ROWS:
        rows = np.frombuffer(payload, "<u4", n_kept, place).astype(np.uint32)
        place += 4 * n_kept
    tensors: dict[int, npt.NDArray[np.generic]] = {}
    for _ in range(n_tensors):
        index, value, place = _read_output(payload, place)
        tensors[index] = value
    if place != len(payload):
        raise ValueError(f"{len(payload) - place} bytes are left over")
    return Outputs(number, duration, tensors, rows)


def _read_output(payload: bytes, place: int) -> tuple[int, npt.NDArray[np.generic], int]:
    index, code, rank = struct.unpack_from("<IBBxx", payload, place)
    shape = struct.unpack_from(f"<{rank}i", payload, place + 8)
    (n_bytes,) = struct.unpack_from("<Q", payload, place + 8 + 4 * rank)
    begin = place + 16 + 4 * rank
    dtype = np.dtype(_DTYPES[code]).newbyteorder("<")
    value = np.frombuffer(payload, dtype, n_bytes // dtype.itemsize, begin).reshape(shape)
    return index, value, begin + n_bytes


def _read_failure(payload: bytes) -> Failure:
    lines = _Lines(payload)
    return Failure(
        reason=lines.text("reason"),
        message=lines.text("message"),
        function=lines.optional("function"),
        status=lines.optional_number("status"),
        line=lines.optional_number("line"),
    )


_READERS: dict[bytes, Callable[[bytes], Answer]] = {
    b"HELO": _read_hello,
    b"INFO": _read_info,
    b"TENS": _read_tensor,
    b"STAT": _read_state,
    b"SAMP": _read_samples,
    b"OUTP": _read_outputs,
    b"TEXT": lambda payload: Text(payload.decode("utf-8", "replace")),
    b"DONE": lambda payload: Done(payload.decode("ascii", "replace")),
    b"FAIL": _read_failure,
}
