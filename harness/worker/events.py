"""What a worker says while it works (see `harness.child_process`). Standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from harness import child_process


@dataclass(frozen=True)
class Stage:
    """What it is at, in words: where it dies, this is the last that is heard."""

    text: str


@dataclass(frozen=True)
class ModelLoaded:
    """The model is loaded, which took so many ns."""

    init_ns: int


@dataclass(frozen=True)
class Progress:
    """So many images of all are done."""

    done: int
    total: int


@dataclass(frozen=True)
class Failed:
    """It ends with a failure that it understands."""

    message: str


@dataclass(frozen=True)
class HostFault:
    """It ends because the computer that it runs on fails: no room, a disk that is gone. No verdict on the model."""

    message: str


@dataclass(frozen=True)
class Finished:
    """Its result is whole."""


Event = Stage | ModelLoaded | Progress | Failed | HostFault | Finished
EVENTS: dict[str, type[Event]] = {
    "stage": Stage,
    "loaded": ModelLoaded,
    "progress": Progress,
    "failed": Failed,
    "host-fault": HostFault,
    "finished": Finished,
}
"""By the name that stands under `event`."""
_NAMES = {kind: name for name, kind in EVENTS.items()}


def emit(event: Event) -> None:
    """Send an event to the parent; called outside the measuring loop only."""
    child_process.emit(_NAMES[type(event)], **asdict(event))
