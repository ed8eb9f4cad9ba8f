"""Where the processor time of a farm goes: the client, the scheduler, the hosts, and what measures for each."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import psutil

Parts = dict[str, float]


def cpu_by_part(started: Mapping[str, subprocess.Popen[bytes]]) -> Parts:
    """Return processor seconds of everything that takes part: they hardly depend on what else the machine does.

    Of the client, which is this process, and of the hosts, that of the processes that measure for them is apart, alive
    or ended. A process may end while it is asked: then all are asked again.

    Args:
        started: The scheduler and the hosts, by name.
    """
    while True:
        try:
            return _by_part({name: psutil.Process(process.pid) for name, process in started.items()})
        except psutil.NoSuchProcess:
            if any(process.poll() is not None for process in started.values()):
                raise


def _by_part(roots: dict[str, psutil.Process]) -> Parts:
    below = {name: root.children(recursive=True) for name, root in roots.items()}
    elsewhere = {process.pid for each in (roots.values(), *below.values()) for process in each}
    client = psutil.Process()
    below["client"] = [child for child in client.children(recursive=True) if child.pid not in elsewhere]
    used: Parts = {}
    for name, root in {"client": client, **roots}.items():
        kind = name if name in {"client", "scheduler"} else "hosts"
        times = root.cpu_times()
        _add(used, kind, times.user + times.system)
        _add(used, f"{kind}, measuring", times.children_user + times.children_system)
        for t in (child.cpu_times() for child in below[name]):
            _add(used, f"{kind}, measuring", t.user + t.system + t.children_user + t.children_system)
    return used


def _add(sums: Parts, key: str, seconds: float) -> None:
    sums[key] = sums.get(key, 0.0) + seconds


@dataclass(frozen=True)
class Run:
    """One run over images.

    Attributes:
        n_images: How many were told of.
        seconds: Until the last of them was.
        pipeline_images_per_second: What the record says: images, without the start of what measures them.
        cpu_s: Processor seconds by part.
        n_counted: How many images were through when these were read.
        detections: As they are kept.
    """

    n_images: int
    seconds: float
    pipeline_images_per_second: float
    cpu_s: Parts
    n_counted: int
    detections: bytes

    @property
    def cpu_ms_an_image(self) -> Parts:
        """Processor milliseconds an image, by part."""
        return {part: 1000 * seconds / self.n_counted for part, seconds in self.cpu_s.items()}


def middle(runs: Sequence[Run]) -> float:
    """Return the median of several runs' sums, in milliseconds an image."""
    return median(sum(run.cpu_ms_an_image.values()) for run in runs)


def by_size(large: Sequence[Run], small: Sequence[Run]) -> list[str]:
    """Say what each turn's runs cost whatever their size, and what each image cost beyond that."""
    told = []
    for more, fewer in zip(large, small, strict=True):
        sums = sum(more.cpu_s.values()), sum(fewer.cpu_s.values())
        an_image = (sums[0] - sums[1]) / (more.n_counted - fewer.n_counted)
        constant = sums[0] - an_image * more.n_counted
        told.append(f"{constant:.2f} s and {1000 * an_image:.2f} ms an image")
    return told


def parts_in_words(parts: Parts) -> str:
    """Return the sum, and what is not nothing of its parts."""
    each = ", ".join(f"{part} {ms:.2f}" for part, ms in parts.items() if ms >= 0.01)
    return f"{sum(parts.values()):.2f} ({each})"
