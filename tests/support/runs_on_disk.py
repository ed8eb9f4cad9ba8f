"""Runs on disk, written by the code that writes real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.records import records
from harness.records.files import checksum
from harness.records.records import (
    AccuracyFacts,
    ClassMatch,
    CocoFigures,
    DelegateFacts,
    DeviceFacts,
    ModelFacts,
    ProcessFacts,
    Record,
    RunFacts,
)
from harness.records.samples import make_samples, to_bytes

STARTED = "2026-11-21T09:00:00Z"
WARM_UP = 5


def figures(map_: float | None) -> CocoFigures:
    """All twelve figures, made from one; `ap_small` is unknown as in a set without small objects."""
    steps = {
        "ap50": 0.2,
        "ap75": 0.05,
        "ap_medium": -0.1,
        "ap_large": 0.1,
        "ar1": -0.2,
        "ar10": 0.02,
        "ar100": 0.03,
    }
    others = {name: None if map_ is None else map_ + step for name, step in steps.items()}
    return CocoFigures(map=map_, ap_small=None, ar_small=None, ar_medium=map_, ar_large=map_, **others)


def write_process(
    folder: Path, index: int, durations_ns: np.ndarray, delegate: DelegateFacts
) -> ProcessFacts:
    """Write the samples of one process and return what its record says."""
    samples = make_samples(np.cumsum(durations_ns), durations_ns.astype(np.int64), WARM_UP)
    file = f"process-{index}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    data = to_bytes(samples)
    (folder / file).write_bytes(data)
    return ProcessFacts(
        index=index,
        started_at=STARTED,
        status="ok",
        delegate=delegate,
        init_ns=8_000_000 + index,
        first_inference_ns=int(durations_ns[0]),
        peak_memory_bytes=(40 + index) * 2**20,
        steady_from=WARM_UP,
        samples=file,
        samples_crc32=checksum(data),
        watched_s=float(durations_ns.sum()) / 1e9,
    )


def accuracy_facts(map_: float, dataset: str, n_images: int) -> AccuracyFacts:
    return AccuracyFacts(
        status="ok",
        dataset=dataset,
        annotations_sha256="b" * 64,
        n_images=n_images,
        engine="hotcoco",
        figures=figures(map_),
        images_per_second=88.8,
        classes=ClassMatch(matched_by="name", n_matched=6, n_categories=6),
    )


@dataclass
class RunFactory:
    """Writes one run; `cell` adds a cell and returns its folder."""

    folder: Path
    cells: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        run = RunFacts(
            format=records.FORMAT, run_id=self.folder.name, started_at=STARTED, harness_version="0.1.0"
        )
        records.save(self.folder / "run.json", run)

    def cell(
        self,
        model: str = "shapes-float32",
        delegate: str = "cpu:1",
        *,
        device: str = "local",
        quantization: str = "float32",
        actual: str = "xnnpack",
        status: str = "ok",
        reasons: tuple[str, ...] = (),
        median_ms: float | None = 4.2,
        spread: float = 0.02,
        n_samples: int = 400,
        n_processes: int = 5,
        map_: float | None = 0.8,
        n_images: int = 200,
        dataset: str = "shapes",
        size_bytes: int = 1_234_567,
        runtime: str = "ai-edge-litert 1.4.0",
        complete: bool = True,
        seed: int = 0,
    ) -> Path:
        """Write a cell with samples around a median and an accuracy; None leaves that part out."""
        name = f"{len(self.cells):03d}"
        folder = self.folder / "cells" / name
        self.cells.append(folder)
        delegate_facts = DelegateFacts(
            requested=delegate, actual=actual, delegated_nodes=20, total_nodes=24, evidence=("31 nodes",)
        )
        rng = np.random.default_rng(seed + len(self.cells))
        processes = []
        for index in range(0 if median_ms is None else n_processes):
            durations = np.abs(rng.normal(median_ms, median_ms * spread, n_samples + WARM_UP)) * 1e6
            durations[0] *= 5
            processes.append(write_process(folder, index, durations, delegate_facts))
        record = Record(
            format=records.FORMAT,
            run_id=self.folder.name,
            cell=name,
            complete=complete,
            started_at=STARTED,
            model=ModelFacts(
                name=model, sha256="a" * 64, size_bytes=size_bytes, quantization=quantization, card={}
            ),
            device=DeviceFacts(name=device, kind="local"),
            delegate=delegate_facts,
            status=status,
            threads=1,
            runtime=runtime,
            reasons=reasons,
            processes=tuple(processes),
            accuracy=None if map_ is None else accuracy_facts(map_, dataset, n_images),
        )
        records.save(folder / "record.json", record)
        return folder

    def example(self, device: str = "local") -> None:
        """The shape of the bundled example: four versions of one model on three delegates."""
        versions = (
            ("float32", 1.0, 1_250_000, 0.8),
            ("float16", 1.01, 640_000, 0.8),
            ("dynamic-range", 0.8, 350_000, 0.79),
            ("full-integer", 0.5, 360_000, 0.77),
        )
        for delegate, pace in (("cpu:1", 4.2), ("cpu:4", 1.9), ("cpu-reference:1", 38.0)):
            for quantization, factor, size, accuracy in versions:
                self.cell(
                    f"shapes-{quantization}",
                    delegate,
                    device=device,
                    quantization=quantization,
                    median_ms=pace * factor,
                    map_=accuracy,
                    size_bytes=size,
                )
