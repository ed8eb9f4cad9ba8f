"""Delegates as users spell them: `cpu[:THREADS]`, `gpu[:fp16|fp32][:cl|gl]`, `npu[:openvino]`.

`KINDS` holds what is known of each kind wherever it runs. How TFLite's own programs are asked for it stands in
`drivers/benchmark_tool`, which operators it documents in `tflite/support`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.errors import UnknownNameError, UsageError

CPU = "cpu"
CPU_REFERENCE = "cpu-reference"
GPU = "gpu"
NNAPI = "nnapi"
HEXAGON = "hexagon"
QNN = "qnn"
EDGETPU = "edgetpu"
NPU = "npu"
EXTERNAL = "external"

OPENVINO = "openvino"
"""Whose NPU path, behind `npu`, this computer may have."""

XNNPACK = "xnnpack"
"""What ran where `cpu` ran."""
UNKNOWN = "unknown"
"""What ran where nothing proves it."""

OPTION = "option."
"""Marks what `--delegate-option` gave among a delegate's settings."""
BUSES = ("usb", "pci")
"""How an Edge TPU is attached."""

Options = tuple[tuple[str, str], ...]
"""(setting, value)."""
Reader = Callable[[str], Options | None]
"""Reads what stands behind a kind's name in a spelling; None where it does not fit."""


def _words(*choices: tuple[str, tuple[str, ...]]) -> Reader:
    """Read settings that their words alone tell apart; each at most once, in any order."""

    def read(rest: str) -> Options | None:
        options: dict[str, str] = {}
        for word in filter(None, rest.split(":")):
            key = next((key for key, words in choices if word in words), None)
            if key is None or key in options:
                return None
            options[key] = word
        return tuple((key, options[key]) for key, _ in choices if key in options)

    return read


_no_words = _words()


def _accelerator(rest: str) -> Options:
    return (("accelerator", rest),) if rest else ()


def _port(rest: str) -> Options | None:
    if not rest:
        return ()
    bus, _, index = rest.partition(":")
    return ((bus, str(int(index or "0"))),) if bus in BUSES and (index or "0").isdecimal() else None


def _path(rest: str) -> Options | None:
    return (("path", rest),) if rest else None


def _npu(rest: str) -> Options | None:
    maker, _, device = rest.partition(":")
    if not rest:
        return ()
    if maker != OPENVINO or device not in {"", CPU, GPU, NPU}:
        return None
    return (("maker", maker), *((("device", device),) if device else ()))


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of delegate, wherever it runs.

    Attributes:
        name: As users spell it.
        spelling: Its whole form.
        runs_as: What is reported to have run where it did.
        log_names: Parts of the names that runtimes and vendors give it, in small letters.
        read: Reads its settings.
        library: Its shared library, where the system's loader finds it by name; else empty.
        on_cpu: The whole graph is meant to run on the CPU.
        on_phones: Android phones may have it.
        in_float16: It computes floats in float16 unless told otherwise (TFLite: `precision_loss_allowed`).
        from_library: TFLite loads it as an external delegate: it takes `--delegate-option`, and logs call it EXTERNAL.
        compiled: It takes nodes of a model that was compiled for it only, and no CPU runs such a model.
        plugged_in: It is a part that is looked for when it is asked for, that one process alone can hold, and that
            devices are counted by on a farm.
    """

    name: str
    spelling: str
    runs_as: str
    log_names: tuple[str, ...] = ()
    read: Reader = _no_words
    library: str = ""
    on_cpu: bool = False
    on_phones: bool = False
    in_float16: bool = False
    from_library: bool = False
    compiled: bool = False
    plugged_in: bool = False


# fmt: off
_ROWS = (
    #    name           spelling                    runs as        names in logs
    Kind(CPU,           "cpu[:THREADS]",            XNNPACK,       ("xnnpack",), on_cpu=True),
    Kind(CPU_REFERENCE, "cpu-reference[:THREADS]",  CPU_REFERENCE, on_cpu=True),
    Kind(GPU,           "gpu[:fp16|fp32][:cl|gl]",  GPU,           ("gpu", "litert_cl", "mldrift", "ml_drift"),
         read=_words(("precision", ("fp16", "fp32")), ("backend", ("cl", "gl"))), on_phones=True, in_float16=True),
    Kind(NNAPI,         "nnapi[:ACCELERATOR]",      NNAPI,         ("nnapi",), read=_accelerator, on_phones=True),
    Kind(HEXAGON,       "hexagon",                  HEXAGON,       ("hexagon",), on_phones=True),
    Kind(QNN,           "qnn[:htp|gpu]",            QNN,           ("qnn",),
         read=_words(("backend", ("htp", "gpu"))), on_phones=True, in_float16=True, from_library=True),
    Kind(EDGETPU,       "edgetpu[:usb:N|pci:N]",    EDGETPU,       ("edgetpu",), read=_port,
         library="libedgetpu.so.1", from_library=True, compiled=True, plugged_in=True),
    Kind(NPU,           "npu[:openvino[:cpu|gpu|npu]]", NPU,       ("dispatch", "npu"), read=_npu, in_float16=True),
    Kind(EXTERNAL,      "external:PATH",            EXTERNAL,      ("external",), read=_path, from_library=True),
)
# fmt: on
KINDS: Mapping[str, Kind] = {row.name: row for row in _ROWS}
"""Every kind of delegate by its name; what it does stands in the README."""


@dataclass(frozen=True)
class Delegate:
    """One delegate configuration.

    Attributes:
        kind: A key of `KINDS`.
        threads: CPU threads; None where threads mean nothing.
        options: Further settings as (key, value), in the order they were given.
    """

    kind: str
    threads: int | None = None
    options: Options = field(default=())

    def __str__(self) -> str:
        """The canonical spelling: `cpu:1`, `gpu:fp16:cl`, `external:lib.so`; options behind it: `edgetpu[k=v]`."""
        parts = [self.kind]
        if self.threads is not None:
            parts.append(str(self.threads))
        for key, value in self.options:
            if not key.startswith(OPTION):
                parts += [key, value] if key in BUSES else [value]
        given = ",".join(f"{key}={value}" for key, value in self.given_options.items())
        return ":".join(parts) + (f"[{given}]" if given else "")

    @property
    def traits(self) -> Kind:
        """What is known of its kind."""
        return KINDS[self.kind]

    @property
    def kind_and_maker(self) -> str:
        """Its kind, and whose library runs it where the spelling says so: `npu:openvino`."""
        maker = self.option("maker")
        return self.kind if maker is None else f"{self.kind}:{maker}"

    @property
    def is_cpu(self) -> bool:
        """Whether the whole graph is meant to run on the CPU."""
        return self.traits.on_cpu

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
        return self.option("path") or self.traits.library or None

    @property
    def port(self) -> str | None:
        """The Edge TPU that it names, `usb:0` or `pci:0`; None where it names none."""
        return next((f"{key}:{value}" for key, value in self.options if key in BUSES), None)

    @property
    def library_options(self) -> dict[str, str]:
        """What the library is told; libedgetpu knows a TPU as `usb:0` or `pci:0` (libedgetpu, edgetpu_c.h)."""
        return {**({"device": self.port} if self.port else {}), **self.given_options}


def parse_delegate(text: str) -> Delegate:
    """Parse a delegate's spelling.

    Raises:
        UnknownNameError: No delegate of that name; near misses are listed.
        UsageError: The part after the name does not fit; says what is expected.
    """
    name, _, rest = text.strip().partition(":")
    if name not in KINDS:
        raise UnknownNameError("delegate", name, KINDS)
    kind = KINDS[name]
    if kind.on_cpu:
        return Delegate(name, threads=_threads(text, rest))
    options = kind.read(rest)
    if options is None:
        raise UsageError(f"delegate {text!r}: expected the form {kind.spelling}")
    return Delegate(name, options=options)


def _threads(text: str, rest: str) -> int:
    if not rest:
        return 1
    if not rest.isdecimal() or not 1 <= int(rest) <= 256:
        raise UsageError(f"delegate {text!r}: found {rest!r} threads, expected a whole number from 1 to 256")
    return int(rest)


def kind_in(spelling: str) -> str:
    """Return the kind in a delegate's spelling: `edgetpu` of `edgetpu:usb:0` and of `edgetpu[Performance=Low]`."""
    return re.split(r"[:\[]", spelling, maxsplit=1)[0]


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
