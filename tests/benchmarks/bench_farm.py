"""Measure device farms with real schedulers, workers and clients on this computer.

    bench_farm.py cells      1,000 fake devices on 20 worker processes, 10,000 cells of no work, records on disk
    bench_farm.py killed     the same, and every tenth worker is killed with SIGKILL and never comes back
    bench_farm.py accuracy   accuracy shared out over 2 workers of one core each, against one computer with 2 cores
    bench_farm.py files      how fast files reach hosts

Prints a table of measured figures; exit status 1 when a target is missed or a record is missing or stands twice.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.farm_accuracy import bench_accuracy
from tests.benchmarks.farm_processes import Counting, Processes, request_for, wait_for_hosts
from tests.support.paths import REPOSITORY


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
