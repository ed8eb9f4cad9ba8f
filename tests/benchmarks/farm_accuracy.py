"""Accuracy shared out over a farm of two hosts with one core each, against one computer with these two cores.

Each turn runs both sides over all images and over a quarter of them, so that what a run costs whatever its size is told
from what each image costs. What was paid before the first run, to start scheduler and hosts, is printed beside it. In
the first turn the hosts are sent the images. While one computer is measured alone, the farm idles beside it, which is
not counted as its cost.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.farm_costs import Run, by_size, cpu_by_part, middle, parts_in_words
from tests.benchmarks.farm_processes import Counting, Processes, request_for, wait_for_hosts
from tests.support.paths import REPOSITORY

SIDES = ("farm", "alone")
SMALLER = 4


def bench_accuracy(args, folder):
    """Measure both sides in turn, and return the figures."""
    processes = Processes(folder)
    try:
        for core, name in enumerate("ab"):
            arguments = ["-m", "harness", "--workspace", str(_workspace(folder)), "worker", processes.address,
                         "--name", name, "--folder", str(folder / f"host-{name}")]  # fmt: skip
            processes.start(name, arguments, prefix=("taskset", "-c", str(core)))
        wait_for_hosts(processes.address, 2)
        started = cpu_by_part(processes.all)
        bench = Bench(args.model, folder, processes)
        runs = {side: [] for side in (*SIDES, *map(_small, SIDES))}
        for _ in range(args.turns):
            for side in SIDES:
                runs[side].append(bench.run(side, args.images))
            for side in SIDES:
                runs[_small(side)].append(bench.run(side, args.images // SMALLER))
        return _row(args.images, started, runs)
    finally:
        processes.close()


def _small(side):
    return f"{side}, fewer images"


class Bench:
    """One model over the bundled example's images, on a farm and without it."""

    def __init__(self, model: str, folder: Path, processes: Processes) -> None:
        self._model, self._folder, self._processes, self._n_runs = model, folder, processes, 0

    def run(self, side: str, n_images: int) -> Run:
        """Measure one side's accuracy over so many images."""
        from harness.bench.request import FarmChoice
        from harness.records.records import load_records
        from harness.session import carry_out, prepare

        address, on_farm = self._processes.address, side == "farm"
        self._n_runs += 1
        request = request_for(
            address,
            self._folder / f"{side}-{self._n_runs}",
            ("any:local-cpu" if on_farm else "local",),
            models=(self._model,),
            delegates=("cpu:1",),
            dataset=str(_dataset(self._folder, n_images)),
            farm=FarmChoice(scheduler=address if on_farm else None),
        )
        settings = replace(request.settings, latency=False, accuracy=True)
        prepared = prepare(replace(request, settings=settings))
        times = Stopwatch(self._processes)
        outcome = carry_out(prepared, times)
        (stored,) = load_records(outcome.folder)
        accuracy = stored.record.accuracy
        assert accuracy is not None and accuracy.status == "ok", stored.record.reasons
        return Run(
            n_images=times.n_images,
            seconds=times.inferred_s,
            pipeline_images_per_second=accuracy.images_per_second,
            cpu_s={part: s for part, s in times.cpu_s().items() if on_farm or part.startswith("client")},
            n_counted=times.n_counted,
            detections=stored.detections.read_bytes(),
        )


class Stopwatch(Counting):
    """Times until the last image that is told of, and CPU for a tenth of the time: to ask keeps a worker unheard."""

    def __init__(self, processes):
        super().__init__()
        self.processes, self.before, self.again_s = processes, cpu_by_part(processes.all), 0.0

    def task(self, task):
        self.begun = time.monotonic()

    def images(self, task, done, total):
        now = time.monotonic()
        self.n_images, self.inferred_s = done, now - self.begun
        if now >= self.again_s:
            self.n_counted, self.after = done, cpu_by_part(self.processes.all)
            self.again_s = now + 10 * (time.monotonic() - now)

    def cpu_s(self):
        return {part: s - self.before.get(part, 0.0) for part, s in self.after.items()}


def _row(n_images: int, started: dict[str, float], runs: dict[str, list[Run]]) -> dict[str, Any]:
    def rates(side: str) -> list[float]:
        return [round(run.n_images / run.seconds, 1) for run in runs[side]]

    farm, alone = runs["farm"], runs["alone"]
    pipeline = [run.pipeline_images_per_second for run in alone]
    pairs = [*zip(farm, alone, strict=True), *zip(*(runs[_small(side)] for side in SIDES), strict=True)]
    equal = all(shared.detections == single.detections for shared, single in pairs)
    return {
        "images": n_images,
        "farm_images_per_second": rates("farm"),
        "alone_images_per_second": rates("alone"),
        "alone_pipeline_images_per_second": [round(rate, 1) for rate in pipeline],
        "ratio": round(median(rates("farm")) / median(rates("alone")), 3),
        "ratio_to_the_pipeline_without_its_start": round(median(rates("farm")) / median(pipeline), 3),
        "farm_cpu_ms_an_image": _in_words(farm),
        "alone_cpu_ms_an_image": _in_words(alone),
        "ratio_of_cpu_times": round(middle(alone) / middle(farm), 3),
        "farm_start_cpu_s": ", ".join(f"{part} {s:.2f}" for part, s in started.items() if s and "client" not in part),
        **{f"{side}_cpu_of_a_run": by_size(runs[side], runs[_small(side)]) for side in SIDES},
        "identical_detections": equal,
        "ok": equal,
    }  # fmt: skip


def _in_words(runs: Sequence[Run]) -> list[str]:
    return [parts_in_words(run.cpu_ms_an_image) for run in runs]


def _workspace(folder):
    place = folder / "workspace"
    if not place.exists():
        (place / "devices").mkdir(parents=True)
        (place / "models").mkdir()
        (place / "devices" / "local.toml").write_text('name = "local"\n[connection]\nkind = "local"\n')
    return place


def _dataset(folder, n_images):
    """The example's images again and again, under new ids and names."""
    source = REPOSITORY / "models" / "shapes"
    truth_path = next(source.rglob("instances*.json"))
    truth = json.loads(truth_path.read_text())
    place = folder / f"data-{n_images}"
    if place.exists():
        return place
    pictures = next(truth_path.parent.rglob(Path(truth["images"][0]["file_name"]).name)).parent
    (place / "images").mkdir(parents=True)
    images, annotations = [], []
    by_image = {}
    for annotation in truth["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for i in range(n_images):
        image = truth["images"][i % len(truth["images"])]
        name = f"{i + 1:06d}{Path(image['file_name']).suffix}"
        shutil.copy(pictures / Path(image["file_name"]).name, place / "images" / name)
        images.append({**image, "id": i + 1, "file_name": name})
        for annotation in by_image.get(image["id"], ()):
            annotations.append({**annotation, "id": len(annotations) + 1, "image_id": i + 1})
    (place / "instances.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": truth["categories"]})
    )
    return place
