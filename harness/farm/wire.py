"""The messages between a client and a host: plain data as msgpack, no pickled objects and no paths of one side.

Both sides must be of the same version: a host of another one would measure in another way under the same name.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from harness.drivers.base import DeviceInfo
from harness.errors import IncomparableError
from harness.profiles import DeviceProfile
from harness.records.records import DelegateFacts, OperatorTime, ProcessFacts
from harness.schema import look_into
from harness.version import __version__
from harness.vocabulary import Status, Word
from harness.worker.results import OutputCheck

PROTOCOL = 1
"""To be increased when a message changes its meaning."""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all messages and their parts: immutable."""


class Envelope(Wire, frozen=True, kw_only=True):
    """The fields that can be read of a message of any version."""

    protocol: int = PROTOCOL
    version: str = __version__


class File(Wire, frozen=True, kw_only=True):
    """A file by its content: the hash identifies it, `name` is for people."""

    sha256: str
    size: int
    name: str


class Picture(Wire, frozen=True, kw_only=True):
    """An image of a dataset, as an `ImageEntry`: its annotated size in pixels; whether it is annotated as stored."""

    id: int
    file: File
    width: int | None = None
    height: int | None = None
    as_stored: bool = False


class Subject(Wire, frozen=True, kw_only=True):
    """A cell as a host needs it: the model, what runs it, and the images of one step.

    `card` and `settings` are the cell's own as plain data; `beside` are files that the card names and that lie beside
    the model; `library` is the file of an external delegate.
    """

    model: File
    card: dict[str, Any]
    delegate: str
    settings: dict[str, Any]
    threads: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    beside: tuple[File, ...] = ()
    library: File | None = None
    pictures: tuple[Picture, ...] | None = None


class Tools(Wire, frozen=True, kw_only=True):
    """The native programs to measure with, each with the libraries beside it (the program first), and their options."""

    benchmark: tuple[File, ...] = ()
    evaluation: tuple[File, ...] = ()
    cpu_mask: str | None = None
    max_start_temp: float | None = None


StepKind = Literal["time", "infer", "operators", "check"]


class Step(Envelope, frozen=True, kw_only=True):
    """One process to start on one device.

    Attributes:
        key: Identifies the step: one host never measures the same key twice.
        run: The run it belongs to.
        device: The device, as the farm names it.
        what: `time` for one repetition of a cell's latency, `infer` for its images, `operators` for their times,
            `check` for its outputs against the CPU's.
        repetition: Which repetition, from 0.
        done: Keys of steps whose results are on the client's disk: the host may drop them.
    """

    key: str
    run: str
    device: str
    what: StepKind
    subject: Subject
    tools: Tools = Tools()
    repetition: int = 0
    done: tuple[str, ...] = ()

    def files(self) -> tuple[File, ...]:
        """Return every file that the step needs on the host."""
        subject = self.subject
        library = () if subject.library is None else (subject.library,)
        pictures = tuple(picture.file for picture in subject.pictures or ())
        own = (subject.model, *subject.beside, *library, *pictures)
        return (*own, *self.tools.benchmark, *self.tools.evaluation)


class Inferences(Wire, frozen=True, kw_only=True):
    """The result of an `infer` step: COCO results, compressed with zlib, and facts about the run."""

    detections: bytes
    n_images: int
    unreadable: tuple[str, ...]
    seconds: float
    delegate: DelegateFacts
    runtime: str
    unreadable_ids: tuple[int, ...] = ()
    remark: str | None = None


class Operators(Wire, frozen=True, kw_only=True):
    """The result of an `operators` step: see `harness.bench.engines.base.ProfiledOperators`."""

    operators: tuple[OperatorTime, ...]
    runtime: str
    n_inferences: int | None = None


class Outcome(Word):
    """The result of a step, or why there is none."""

    DONE = "done"
    FAILED = "failed"
    """The cell failed, with a status of its own."""
    DEVICE = "device"
    """The device failed."""
    LOST = "lost"
    """The device went away meanwhile."""
    ABSENT = "absent"
    """The device is not attached to this host."""
    MISSING = "missing"
    """The host lacks files, named by their hashes."""
    REFUSED = "refused"
    """The host is of another version."""


class Result(Wire, frozen=True, kw_only=True):
    """StepKind became of a step, and what it gave."""

    key: str
    outcome: Outcome
    host: str
    message: str = ""
    status: Status = Status.FAILED
    process: ProcessFacts | None = None
    samples: bytes | None = None
    inferences: Inferences | None = None
    operators: Operators | None = None
    check: OutputCheck | None = None
    missing: tuple[str, ...] = ()
    cache: str = ""


class Offer(Wire, frozen=True, kw_only=True):
    """A device that a host offers: its name on the farm, the kinds it counts as, its profile and its description."""

    name: str
    kinds: tuple[str, ...]
    profile: DeviceProfile
    origin: str
    info: DeviceInfo

    def resources(self) -> dict[str, float]:
        """Return the resources of the host that one step on the device takes."""
        return dict.fromkeys((self.name, *self.kinds), 1.0)


class HostDescription(Envelope, frozen=True, kw_only=True):
    """A host by its name, and the devices that it offers."""

    host: str
    offers: tuple[Offer, ...] = ()


T = TypeVar("T")

look_into(Envelope, File, Step, Result, HostDescription)


def encode(message: Wire) -> bytes:
    """Return a message as bytes."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """Read a message.

    Raises:
        msgspec.MsgspecError: It is none of this kind.
    """
    return msgspec.msgpack.decode(data, type=kind)


def refuse_other_version(data: bytes, who: str) -> None:
    """Refuse a message of another version of this program.

    Args:
        data: The message.
        who: The other side, for the error.

    Raises:
        IncomparableError: Names what differs and both values.
    """
    theirs, ours = decode(data, Envelope), Envelope()
    for key in ("protocol", "version"):
        there, here = getattr(theirs, key), getattr(ours, key)
        if there != here:
            what = (
                f"parts of a farm (this side and {who}; install the same version of ondevice-harness on both)"
            )
            raise IncomparableError(f"the harness's {key}", here, there, what)
