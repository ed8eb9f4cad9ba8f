"""What the native worker is sent: lines of words that one space divides, some followed by a stated number of bytes.

The first line is `harness-worker 1`, then come the settings, `compile`, and any number of commands; everything may be
sent ahead, the answers come in the same order. A path or a text is the last thing on its line, so it may hold spaces.
The worker refuses what it does not know, and ends at its first failure.

    library PATH, model PATH, accelerator cpu|gpu|npu     what is compiled, and for what
    option PART TOML        what LiteRT is told of one of its parts, such as how many threads its CPU kernels have
    dispatch DIR, plugins DIR                             an NPU's libraries
    memory MB, profile      a limit of the process; record operators
    input TENSOR BYTES      a prepared value of an input; inference k takes the (k mod n)th of n
    inputs TENSOR N PATH    n of them, from a file where the worker runs
    forget                  the prepared values are gone
    time RUNS SECONDS MOST [hold]      a stretch of the trace; with `hold` it goes on until the next command comes
    operators RUNS SECONDS             the times of operators, of a worker that was set up with `profile`
    table CHANNELS BYTES    for `mapped`: what each value of a uint8 pixel stands for, 256 to a channel
    cut …, whole            rows of outputs that can matter, or all there is
    prefetch BYTES          read so much of the next command while the model runs
    infer NUMBER raw|mapped BYTES      one image
    deadline SECONDS        the worker ends itself when they have passed, even in the middle of an inference
    state, end              the state of the machine; the end
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.delegates import CPU
from harness.errors import UsageError

VERSION = 1
MOST_LINE_BYTES = 4095
FIRST_LINE = f"harness-worker {VERSION}"
COMPILE, WHOLE, STATE, END, FORGET = b"compile\n", b"whole\n", b"state\n", b"end\n", b"forget\n"


@dataclass(frozen=True)
class Setup:
    """What the worker compiles, and for what. Paths are those of the machine where it runs.

    Attributes:
        library: `libLiteRt.so`; its folder is where LiteRT looks for its GPU accelerator.
        model: The .tflite.
        accelerator: `cpu`, `gpu` or `npu`; the CPU takes what the others leave.
        threads: CPU threads.
        kernels: `builtin` for the CPU's without XNNPACK.
        precision: `fp32` to keep a GPU from float16; None for what it chooses.
        dispatch: Folder of an NPU's dispatch library.
        plugins: Folder of an NPU's compiler plugin.
        profile: Record the times of operators; never of a model that is timed.
        memory_mb: The process may not use more data memory than this.
        deadline_s: When the worker ends itself; 0 for never.
    """

    library: str
    model: str
    accelerator: str = CPU
    threads: int = 1
    kernels: str = "delegate"
    precision: str | None = None
    dispatch: str | None = None
    plugins: str | None = None
    profile: bool = False
    memory_mb: int | None = None
    deadline_s: int = 0

    def lines(self) -> bytes:
        """Return the beginning of a job, up to and with `compile`.

        Raises:
            UsageError: A path or a text cannot stand on a line.
        """
        pairs = [
            ("library", self.library),
            ("model", self.model),
            ("accelerator", self.accelerator),
            ("dispatch", self.dispatch),
            ("plugins", self.plugins),
            ("memory", None if self.memory_mb is None else str(self.memory_mb)),
            ("deadline", str(self.deadline_s) if self.deadline_s else None),
            *(("option", f"{identifier} {escape(text)}") for identifier, text in self._options()),
        ]
        settings = b"".join(_line(f"{key} {value}") for key, value in pairs if value is not None)
        return _line(FIRST_LINE) + settings + (b"profile\n" if self.profile else b"") + COMPILE

    def _options(self) -> Iterator[tuple[str, str]]:
        """Yield LiteRT's options, in its own words: the identifier of a part, and TOML for it."""
        kernels = 'kernel_mode = "builtin"\n' if self.kernels == "builtin" else ""
        yield "xnnpack", f"num_threads = {self.threads}\n{kernels}"
        if self.precision == "fp32":
            yield "gpu_options", "precision = 2\n"


@dataclass(frozen=True)
class Cut:
    """Which rows of the outputs can matter: those of which a score reaches a threshold, or is not a number.

    The rows that are left out must be ones that the decoder drops: it is the caller who knows.

    Attributes:
        decider: Index of the output that holds the scores.
        axis: The axis along which its rows lie; all axes but this and one other have the size 1.
        first: The first score of a row.
        last: One past the last.
        threshold: In the tensor's own values, quantized ones included.
        followers: (output, axis) of others with the same rows.
    """

    decider: int
    axis: int
    first: int
    last: int
    threshold: float
    followers: tuple[tuple[int, int], ...] = ()

    def line(self) -> bytes:
        """Return the command."""
        followers = "".join(f" {output}:{axis}" for output, axis in self.followers)
        numbers = f"{self.decider} {self.axis} {self.first} {self.last}"
        return _line(f"cut {numbers} {float(self.threshold).hex()}{followers}")


def input_value(tensor: int, value: npt.NDArray[np.generic]) -> bytes:
    """Return the command that adds a prepared value of an input, bytes included."""
    data = np.ascontiguousarray(value).tobytes()
    return _line(f"input {tensor} {len(data)}") + data


def input_file(tensor: int, count: int, path: str) -> bytes:
    """Return the command that adds the prepared values of an input that lie one behind another in a file."""
    return _line(f"inputs {tensor} {count} {path}")


def time_command(runs: int, seconds: float, most_seconds: float, *, hold: bool = False) -> bytes:
    """Return the command that measures until so many inferences and seconds of inferences are there.

    Args:
        runs: At least so many.
        seconds: At least so long, summed.
        most_seconds: But no longer than this.
        hold: Go on measuring until the next command comes, so that the trace has no gap.
    """
    return _line(f"time {runs} {seconds:.6f} {most_seconds:.6f}{' hold' if hold else ''}")


def operators_command(runs: int, seconds: float) -> bytes:
    """Return the command that records the times of operators."""
    return _line(f"operators {runs} {seconds:.6f}")


def table_command(table: npt.NDArray[np.generic]) -> bytes:
    """Return the command that says what pixels stand for.

    Args:
        table: Shape (channels, 256), of the first input's type.
    """
    data = np.ascontiguousarray(table).tobytes()
    return _line(f"table {table.shape[0]} {len(data)}") + data


def infer_command(number: int, image: npt.NDArray[np.generic], *, mapped: bool = False) -> bytes:
    """Return the command that runs the model on one image.

    Args:
        number: What its answer is told by.
        image: As the first input takes it; with `mapped` the uint8 pixels that the table is for.
        mapped: The worker turns pixels into values by its table.
    """
    data = np.ascontiguousarray(image).tobytes()
    return _line(f"infer {number} {'mapped' if mapped else 'raw'} {len(data)}") + data


def prefetch_command(n_bytes: int) -> bytes:
    """Return the command that lets the worker read so much ahead while the model runs."""
    return _line(f"prefetch {n_bytes}")


def deadline_command(seconds: int) -> bytes:
    """Return the command that starts the worker's clock anew; 0 stops it."""
    return _line(f"deadline {seconds}")


def escape(text: str) -> str:
    """Write a text of several lines on one."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def unescape(text: str) -> str:
    """Read what `escape` wrote."""
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def _line(text: str) -> bytes:
    line = text.encode()
    if b"\n" in line or b"\0" in line or len(line) > MOST_LINE_BYTES:
        raise UsageError(
            f"a path or text for the worker on the device holds a line break or is longer than {MOST_LINE_BYTES} "
            f"bytes: {text[:80]!r}"
        )
    return line + b"\n"
