"""Measure device farms with real schedulers, workers and clients on this computer.

    bench_farm.py cells      1,000 fake devices on 20 worker processes, 10,000 cells of no work, records on disk
    bench_farm.py killed     the same, and every tenth worker is killed with SIGKILL and never comes back
    bench_farm.py accuracy   accuracy shared out over 2 workers of one core each, against one computer with 2 cores
    bench_farm.py files      how fast files reach hosts

Prints a table of measured figures; exit status 1 when a target is missed or a record is missing or stands twice.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.farm_costs import cpu_by_part, middle, parts_in_words
from tests.support.paths import REPOSITORY

CELLS_A_DEVICE = 10


def idle_devices(host, n):
    """Devices whose measurements take no time and say so: what is left is the farm's own cost."""
    from harness.bench.engines.base import Engine, TimedProcess
    from harness.drivers.base import DeviceInfo
    from harness.drivers.fake import FakeDevice
    from harness.farm.attached import AttachedDevice, make_offer
    from harness.profiles import Connection, DeviceProfile, Profile
    from harness.records.records import DelegateFacts, ProcessFacts
    from harness.records.samples import make_samples
    from harness.records.store import now

    samples = make_samples([1000 * i for i in range(50)], [500] * 50, 10)

    class Idle(Engine):
        def time(self, cell, repetition, scratch):
            facts = DelegateFacts(
                requested=str(cell.delegate), actual="xnnpack", evidence=("nothing was run",)
            )
            return TimedProcess(
                ProcessFacts(
                    index=repetition,
                    started_at=now(),
                    status="ok",
                    delegate=facts,
                    runtime="none",
                    steady_from=10,
                    duration_s=0.0,
                ),
                samples,
            )

    class IdleDevices:
        def find_attached(self, known, busy):
            return known or {name: self._one(name) for name in (f"idle-{i}@{host}" for i in range(n))}

        def _one(self, name):
            profile = Profile(DeviceProfile(name=name, connection=Connection(kind="fake")), Path("idle.toml"))
            info = DeviceInfo(name, "fake", soc="none", os="none", abi="none", delegates=("cpu",))
            return AttachedDevice(make_offer(name, profile, info, host), profile)

        def open(self, attached):
            return FakeDevice(attached.offer.name, folder=Path(tempfile.gettempdir()))

        def engine(self, station, request):
            return Idle()

    return IdleDevices()


def serve_idle(address, host, n, folder):
    from harness.farm.host import Host
    from harness.farm.join import Membership, serve

    serve(Host(host, idle_devices(host, n), Path(folder)), Membership(f"tcp://{address}"), lambda text: None)


class Processes:
    """The scheduler and the workers, which end with the benchmark."""

    def __init__(self, folder):
        self.folder, self.all = folder, {}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{s.getsockname()[1]}"
        port = self.address.partition(":")[2]
        self.start("scheduler", ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port,
                                 "--no-dashboard", "--dashboard-address", ":0"])  # fmt: skip

    def start(self, name, arguments, prefix=()):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.all[name] = subprocess.Popen(
                [*prefix, sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "HARNESS_CACHE": str(self.folder / "cache")},
            )

    def kill(self, name):
        os.killpg(self.all[name].pid, signal.SIGKILL)
        self.all.pop(name).wait()

    def cpu_seconds(self):
        import psutil

        used = {}
        for name, process in self.all.items():
            times = psutil.Process(process.pid).cpu_times()
            kind = "scheduler" if name == "scheduler" else "workers"
            used[kind] = used.get(kind, 0.0) + times.user + times.system
        return used

    def close(self):
        for name in list(self.all):
            self.kill(name)


class Counting:
    def __init__(self):
        self.done_count, self._lock = 0, threading.Lock()

    def begin(self, n_tasks):
        pass

    more = begin

    def task(self, task):
        pass

    def images(self, task, done, total):
        pass

    def done(self, task, record):
        with self._lock:
            self.done_count += 1


def request_for(address, output, devices, **changes):
    from harness.bench.request import FarmChoice, Request
    from harness.settings import Settings

    settings = Settings(repetitions=1, accuracy=False)
    base = Request(
        models=("shapes-float32",),
        devices=devices,
        delegates=tuple(f"cpu:{n + 1}" for n in range(CELLS_A_DEVICE)),
        workspace=str(REPOSITORY),
        output=str(output),
        settings=settings,
        repetitions=1,
        farm=FarmChoice(scheduler=address, wait_s=60.0),
    )
    return replace(base, **changes)


def wait_for_hosts(address, n):
    from harness.farm.link import Link

    link = Link(f"tcp://{address}")
    deadline = time.monotonic() + 300
    while len([h for h in link.describe_hosts() if h.description.offers]) < n:
        assert time.monotonic() < deadline, "the workers did not join"
        time.sleep(1)
    names = [offer.name for host in link.describe_hosts() for offer in host.description.offers]
    link.close()
    return names


def bench_cells(args, folder, kill):
    from harness.records.records import load_run
    from harness.session import carry_out, prepare

    processes = Processes(folder)
    try:
        n = args.devices // args.workers
        for w in range(args.workers):
            processes.start(
                f"w{w}",
                [__file__, "serve-idle", processes.address, f"w{w}", str(n), str(folder / f"host-{w}")],
            )
        names = wait_for_hosts(processes.address, args.workers)
        devices = ("any:idle",) if kill else tuple(names)
        changes = {"models": _copies(folder, args.devices)} if kill else {}
        begin = time.monotonic()
        prepared = prepare(request_for(processes.address, folder / "runs", devices, **changes))
        planned = time.monotonic() - begin
        before, told = processes.cpu_seconds(), Counting()
        victims = [f"w{w}" for w in range(0, args.workers, 10)] if kill else []
        killer = threading.Thread(
            target=_kill_in_the_middle, args=(processes, victims, told, prepared), daemon=True
        )
        killer.start()
        begin, own = time.monotonic(), time.process_time()
        outcome = carry_out(prepared, told)
        seconds, own = time.monotonic() - begin, time.process_time() - own
        after = processes.cpu_seconds()
        n_cells = len(prepared.plan.cells)
        return _check_cells(outcome, n_cells, {
            "cells": n_cells,
            "devices": args.devices,
            "workers": args.workers,
            "workers_killed": len(victims),
            "plan_s": round(planned, 1),
            "seconds": round(seconds, 1),
            "cells_per_second": round(n_cells / seconds, 1),
            "client_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "client_cpu_ms_a_cell": round(1000 * own / n_cells, 2),
            **{f"{kind}_cpu_ms_a_cell": round(1000 * (after[kind] - before[kind]) / n_cells, 2)
               for kind in after if not victims or kind == "scheduler"},
            "run": load_run(outcome.folder).run_id,
        })  # fmt: skip
    finally:
        processes.close()


def _copies(folder, n_devices):
    """Models enough for as many cells as in the other benchmark: cells for any device name no device."""
    source = REPOSITORY / "models" / "shapes" / "shapes_float32.tflite"
    places = []
    for i in range(n_devices):
        place = folder / "models" / f"m{i:04d}.tflite"
        place.parent.mkdir(exist_ok=True)
        shutil.copy(source, place)
        places.append(str(place))
    return tuple(places)


def _kill_in_the_middle(processes, victims, told, prepared):
    n = len(prepared.plan.cells)
    for i, name in enumerate(victims):
        while told.done_count < n * (i + 1) / (len(victims) + 2):
            time.sleep(0.05)
        processes.kill(name)


def _check_cells(outcome, n_cells, row):
    """Every cell has one record, complete, with one process and its samples."""
    from harness.records.records import load_records

    stored = load_records(outcome.folder)
    ids = [s.record.cell for s in stored]
    row["records"] = len(ids)
    row["twice"] = len(ids) - len(set(ids)) + sum(len(s.record.processes) > 1 for s in stored)
    row["complete"] = sum(s.record.complete and s.record.status == "ok" for s in stored)
    sizes = [len(p) for s in stored for p in s.samples()]
    row["samples_whole"] = sum(size == 50 for size in sizes)
    row["ok"] = row["records"] == row["complete"] == row["samples_whole"] == n_cells and not row["twice"]
    return row


def bench_accuracy(args, folder):
    from harness.bench.request import FarmChoice
    from harness.records.records import load_records
    from harness.session import carry_out, prepare

    data, model = _large_dataset(folder, args.images), args.model
    processes = Processes(folder)
    try:
        for i, name in enumerate("ab"):
            arguments = ["-m", "harness", "--workspace", str(_workspace(folder)), "worker", processes.address,
                         "--name", name, "--folder", str(folder / f"host-{name}")]  # fmt: skip
            processes.start(name, arguments, prefix=("taskset", "-c", str(i)))
        wait_for_hosts(processes.address, 2)
        rates, detections = {}, {}
        for turn in range(args.turns):
            for what, farm, device in (
                ("farm", FarmChoice(scheduler=processes.address), "any:local-cpu"),
                ("alone", FarmChoice(), "local"),
            ):
                request = request_for(processes.address, folder / f"{what}-{turn}", (device,), models=(model,),
                                      delegates=("cpu:1",), dataset=str(data), farm=farm)  # fmt: skip
                settings = replace(request.settings, latency=False, accuracy=True)
                prepared = prepare(replace(request, settings=settings))
                times = Stopwatch(processes)
                outcome = carry_out(prepared, times)
                (stored,) = load_records(outcome.folder)
                accuracy = stored.record.accuracy
                assert accuracy is not None and accuracy.status == "ok", stored.record.reasons
                rates.setdefault(what, []).append(times.n_images / times.inferred_s)
                rates.setdefault(f"{what} without start", []).append(accuracy.images_per_second)
                rates.setdefault(f"{what} cpu", []).append(times.cpu_ms_an_image())
                detections[what] = stored.detections.read_bytes()
        return _accuracy_row(args, rates, detections)
    finally:
        processes.close()


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

    def cpu_ms_an_image(self):
        parts = self.after.items()
        return {part: 1000 * (s - self.before.get(part, 0.0)) / self.n_counted for part, s in parts}


def _accuracy_row(args, rates, detections):
    from statistics import median

    return {
        "images": args.images,
        "farm_images_per_second": [round(rate, 1) for rate in rates["farm"]],
        "alone_images_per_second": [round(rate, 1) for rate in rates["alone"]],
        "alone_pipeline_images_per_second": [round(rate, 1) for rate in rates["alone without start"]],
        "ratio": round(median(rates["farm"]) / median(rates["alone"]), 3),
        "ratio_to_the_pipeline_without_its_start": round(
            median(rates["farm"]) / median(rates["alone without start"]), 3
        ),
        "farm_cpu_ms_an_image": [parts_in_words(ms) for ms in rates["farm cpu"]],
        "alone_cpu_ms_an_image": [parts_in_words(ms) for ms in rates["alone cpu"]],
        "ratio_of_cpu_times": round(middle(rates["alone cpu"]) / middle(rates["farm cpu"]), 3),
        "identical_detections": detections["farm"] == detections["alone"],
        "ok": detections["farm"] == detections["alone"],
    }


def _workspace(folder):
    place = folder / "workspace"
    if not place.exists():
        (place / "devices").mkdir(parents=True)
        (place / "models").mkdir()
        (place / "devices" / "local.toml").write_text('name = "local"\n[connection]\nkind = "local"\n')
    return place


def _large_dataset(folder, n_images):
    """The example's images again and again, under new ids and names."""
    source = REPOSITORY / "models" / "shapes"
    truth_path = next(source.rglob("instances*.json"))
    truth = json.loads(truth_path.read_text())
    place = folder / "data"
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


def bench_files(args, folder):
    """Send one large file to each of two hosts, through the scheduler."""
    from harness.farm.cells import Catalog
    from harness.farm.file_transfer import LocalFile
    from harness.farm.link import Link
    from harness.farm.wire import Result

    processes = Processes(folder)
    try:
        for name in "ab":
            processes.start(
                name, [__file__, "serve-idle", processes.address, name, "1", str(folder / f"host-{name}")]
            )
        wait_for_hosts(processes.address, 2)
        path = folder / "large.bin"
        path.write_bytes(os.urandom(args.megabytes * 1_000_000))
        file = Catalog().add(path)
        link = Link(f"tcp://{processes.address}")
        row = {"megabytes": args.megabytes}
        before = processes.cpu_seconds()["scheduler"]
        for name in "ab":
            lacking = Result(key="", outcome="missing", host=name, missing=(file.sha256,), cache=name)
            begin = time.monotonic()
            link.wait_for(
                link.transfer.send_missing(
                    lacking, link.addresses_of(f"idle-0@{name}"), {file.sha256: LocalFile(file, path)}
                )
            )
            row[f"host_{name}_mb_per_second"] = round(args.megabytes / (time.monotonic() - begin), 1)
            placed = folder / f"host-{name}" / "files" / file.sha256[:2] / file.sha256 / "large.bin"
            row["ok"] = placed.stat().st_size == path.stat().st_size
        used = processes.cpu_seconds()["scheduler"] - before
        row["scheduler_cpu_s_a_gb"] = round(1000 * used / (2 * args.megabytes), 2)
        link.close()
        return row
    finally:
        processes.close()


def main():
    if sys.argv[1:2] == ["serve-idle"]:
        serve_idle(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["cells", "killed", "accuracy", "files"])
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--images", type=int, default=2200)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--model", default="shapes-float32")
    parser.add_argument("--folder", type=Path, help="Where the runs go (default: a temporary one).")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-farm-", dir=args.folder) as folder:
        row = {
            "cells": lambda: bench_cells(args, Path(folder), kill=False),
            "killed": lambda: bench_cells(args, Path(folder), kill=True),
            "accuracy": lambda: bench_accuracy(args, Path(folder)),
            "files": lambda: bench_files(args, Path(folder)),
        }[args.what]()
    row["load_average"] = round(os.getloadavg()[0], 1)
    width = max(map(len, row))
    for key, value in row.items():
        print(f"{key:{width}}  {value}")
    return 0 if row["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
