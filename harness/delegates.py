"""Delegates as users spell them: `cpu[:THREADS]`, `gpu[:fp16|fp32][:cl|gl]`, `edgetpu[:usb:N|pci:N]`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from harness.errors import UnknownNameError, UsageError

SPELLINGS = {
    "cpu": "cpu[:THREADS]",
    "cpu-reference": "cpu-reference[:THREADS]",
    "gpu": "gpu[:fp16|fp32][:cl|gl]",
    "nnapi": "nnapi[:ACCELERATOR]",
    "hexagon": "hexagon",
    "qnn": "qnn[:htp|gpu]",
    "npu": "npu",
    "edgetpu": "edgetpu[:usb:N|pci:N]",
    "external": "external:PATH",
}
"""Every delegate and how it is spelt; what it does stands in the README."""

LIBRARIES = {"edgetpu": "libedgetpu.so.1"}
"""Delegates of our worker whose library the system's loader finds by name; that of `external` is in its spelling."""
OPTION = "option."
"""Marks what `--delegate-option` gave among a delegate's settings."""

_CHOICES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "gpu": (("precision", ("fp16", "fp32")), ("backend", ("cl", "gl"))),
    "qnn": (("backend", ("htp", "gpu")),),
}


@dataclass(frozen=True)
class Delegate:
    """One delegate configuration.

    Attributes:
        kind: A key of `SPELLINGS`.
        threads: CPU threads; None where threads mean nothing.
        options: Further settings as (key, value), in the order they were given.
    """

    kind: str
    threads: int | None = None
    options: tuple[tuple[str, str], ...] = field(default=())

    def __str__(self) -> str:
        """The canonical spelling: `cpu:1`, `gpu:fp16:cl`, `external:lib.so`; options behind it: `edgetpu[k=v]`."""
        parts = [self.kind]
        if self.threads is not None:
            parts.append(str(self.threads))
        for key, value in self.options:
            if not key.startswith(OPTION):
                parts += [key, value] if self.kind == "edgetpu" else [value]
        given = ",".join(f"{key}={value}" for key, value in self.given_options.items())
        return ":".join(parts) + (f"[{given}]" if given else "")

    @property
    def is_cpu(self) -> bool:
        """Whether the whole graph is meant to run on the CPU."""
        return self.kind in {"cpu", "cpu-reference"}

    def option(self, key: str) -> str | None:
        """Return one setting, or None."""
        return dict(self.options).get(key)

    @property
    def given_options(self) -> dict[str, str]:
        """What `--delegate-option` gave."""
        return {key[len(OPTION) :]: value for key, value in self.options if key.startswith(OPTION)}

    @property
    def library(self) -> str | None:
        """The shared library that brings it: a path, or a name for the system's loader; None for none."""
        return self.option("path") if self.kind == "external" else LIBRARIES.get(self.kind)

    @property
    def library_options(self) -> dict[str, str]:
        """What the library is told; libedgetpu knows a TPU as `usb:0` or `pci:0` (libedgetpu, edgetpu_c.h)."""
        ports = [f"{key}:{value}" for key, value in self.options if key in {"usb", "pci"}]
        return {**({"device": ports[0]} if ports else {}), **self.given_options}


def parse_delegate(text: str) -> Delegate:
    """Parse a delegate's spelling.

    Raises:
        UnknownNameError: No delegate of that name; near misses are listed.
        UsageError: The part after the name does not fit; says what is expected.
    """
    kind, _, rest = text.strip().partition(":")
    if kind not in SPELLINGS:
        raise UnknownNameError("delegate", kind, SPELLINGS)
    if kind in {"cpu", "cpu-reference"}:
        return Delegate(kind, threads=_threads(text, rest))
    if kind == "external":
        if not rest:
            raise _misspelt(text, kind)
        return Delegate(kind, options=(("path", rest),))
    if kind == "nnapi":
        return Delegate(kind, options=(("accelerator", rest),) if rest else ())
    if kind == "edgetpu":
        return Delegate(kind, options=_edgetpu_port(text, rest))
    return Delegate(kind, options=_choices(text, kind, rest))


def _threads(text: str, rest: str) -> int:
    if not rest:
        return 1
    if not rest.isdecimal() or not 1 <= int(rest) <= 256:
        raise UsageError(f"delegate {text!r}: found {rest!r} threads, expected a whole number from 1 to 256")
    return int(rest)


def _edgetpu_port(text: str, rest: str) -> tuple[tuple[str, str], ...]:
    if not rest:
        return ()
    bus, _, index = rest.partition(":")
    if bus not in {"usb", "pci"} or not (index or "0").isdecimal():
        raise _misspelt(text, "edgetpu")
    return ((bus, str(int(index or "0"))),)


def _choices(text: str, kind: str, rest: str) -> tuple[tuple[str, str], ...]:
    options: dict[str, str] = {}
    for word in filter(None, rest.split(":")):
        key = next((key for key, words in _CHOICES.get(kind, ()) if word in words), None)
        if key is None or key in options:
            raise _misspelt(text, kind)
        options[key] = word
    return tuple((key, options[key]) for key, _ in _CHOICES.get(kind, ()) if key in options)


def _misspelt(text: str, kind: str) -> UsageError:
    return UsageError(f"delegate {text!r}: expected the form {SPELLINGS[kind]}")


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
