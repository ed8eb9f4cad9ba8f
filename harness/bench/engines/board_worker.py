"""The engine that runs our own worker in a board's Python: it gives every sample, as on this computer.

What the worker needs is pushed by content: this package as one file, the model, the prepared inputs, the images. A
warm cell takes three round trips: a push that finds everything there, one run, and its files in one stream.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness import atomic
from harness.bench.engines.base import OnProgress
from harness.bench.engines.board_images import Board, place_images
from harness.bench.engines.bundle import make_bundle
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.engines.worker_process import ONE_THREAD, R, WorkerAnswer, read_answer, watch
from harness.delegates import Delegate
from harness.drivers.base import Completed, OnLine
from harness.errors import DeviceError, HostFaultError, MeasurementError
from harness.paths import is_file
from harness.vocabulary import Status
from harness.worker.jobs import AccuracyJob, Job
from harness.worker.results import AccuracyResult

BUSY, NO_FOLDER = 96, 97
BUSY_S, POLL_S = 1800.0, 2.0
"""How long another harness on the board is waited for, and how often it is looked at."""
FILES = ("result.json", "samples.npy", "detections.json")
LOCK = "/tmp/ondevice-harness.busy"  # noqa: S108 - one for all users of the board, and nothing is written into it
"""Locked on the board while something is measured there, by whomever: two at a time would measure each other."""

RUN = rf"""
w=$1 job=$2 python=$3 lock=$4
mkdir -p "$w" && cd "$w" && printf %s "$job" > job.json || exit {NO_FOLDER}
find "${{w%/*}}" -mindepth 1 -maxdepth 1 -mmin +720 -exec rm -rf {{}} + 2>/dev/null
[ -e "$lock" ] || (umask 0; : >> "$lock") 2>/dev/null
if [ -r "$lock" ] && command -v flock >/dev/null 2>&1; then
  exec 9< "$lock"
  flock -n 9 || {{ cd /; rm -rf "$w"; exit {BUSY}; }}
fi
"$python" -m harness.worker job.json
code=$?
[ "$code" -eq 0 ] || {{ cd /; rm -rf "$w"; }}
exit "$code"
"""
"""One worker in a folder of its own, which stays for `pull_folder` where all went well. Takes the folder, the job, the
Python and the lock."""


@dataclass(frozen=True)
class BoardWorker(PythonWorker):
    """Starts a worker process on a board for every measurement.

    Attributes:
        device: The board.
        cores: Its CPU cores.
        lacking: What its Python lacks for a dataset; None where that works.
        sleep: Waits for so many seconds; replaced in tests.
    """

    device: Board
    cores: int = 1
    lacking: str | None = None
    sleep: Callable[[float], None] = field(default=time.sleep)

    def carry_out(
        self,
        job: Job,
        kind: type[R],
        scratch: Path,
        timeout_s: float,
        on_progress: OnProgress | None = None,
    ) -> WorkerAnswer[R]:
        """Run a job on the board and leave its files in `scratch`.

        Raises:
            MeasurementError: The worker crashed, hung, was refused or reported a failure; says which.
            DeviceError: The board went away, or has no room.
        """
        bundle, job = self._with_files(job, make_bundle(scratch.parent))
        work = f"{self.device.root}/runs/{secrets.token_hex(8)}"
        text = json.dumps(asdict(replace(job, output=work)))
        argv = ["sh", "-c", RUN, "sh", work, text, self.device.python, LOCK]
        environment = {"PYTHONPATH": bundle, "PYTHONSAFEPATH": "1", **ONE_THREAD}
        try:
            ended = watch(self._when_free, argv, environment, job, timeout_s, on_progress)
        except HostFaultError as error:  # the board's, not this computer's
            raise DeviceError(self.device.name, str(error)) from error
        self.device.pull_folder(work, FILES, scratch)
        return read_answer(scratch, kind, ended)

    def carry_out_accuracy(
        self, job: AccuracyJob, scratch: Path, timeout_s: float, on_progress: OnProgress
    ) -> WorkerAnswer[AccuracyResult]:
        """Take the images to the board, run the job there, and call images in messages as they are called here."""
        if self.lacking is not None:
            raise MeasurementError(
                f"no accuracy on {self.device.name}: {self.lacking}; install it there with `{self.device.python} -m "
                "pip install`"
            )
        names: dict[str, str] = {}
        job = self._with_images(job, scratch, names)
        answer = super().carry_out_accuracy(job, scratch, timeout_s, on_progress)
        unreadable = tuple(_renamed(text, names) for text in answer.result.unreadable)
        return replace(answer, result=replace(answer.result, unreadable=unreadable))

    def library_in_words(self, delegate: Delegate) -> str:
        """Nothing: the libraries of this computer are not the board's."""
        return ""

    def _with_images(self, job: AccuracyJob, scratch: Path, names: dict[str, str]) -> AccuracyJob:
        """Take the images there; `names` gets what each is called here."""
        listed = json.loads(Path(job.images).read_text(encoding="utf-8"))
        there = place_images(self.device, [Path(row[1]) for row in listed])
        names.update((Path(new).name, Path(row[1]).name) for row, new in zip(listed, there, strict=True))
        images = scratch / "board-images.json"
        rows = [[row[0], new, *row[2:]] for row, new in zip(listed, there, strict=True)]
        atomic.write_scratch(images, json.dumps(rows))
        return replace(job, images=str(images), cores=self.cores)

    def _with_files(self, job: Job, bundle: Path) -> tuple[str, Job]:
        """Push the worker and the files of a job; return the worker's path there and the job with theirs."""
        names = ("model", "other_model", "inputs", "images", "delegate_library")
        paths = {name: getattr(job, name, None) for name in names}
        files = {name: Path(path) for name, path in paths.items() if path and is_file(path)}
        there = self.device.push([bundle, *files.values()])
        changes: dict[str, str] = dict(zip(files, there[1:], strict=True))
        return there[0], replace(job, **changes)  # type: ignore[arg-type]

    def _when_free(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        on_line: OnLine | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a worker as soon as nobody else measures on the board; a signal N is -N, as on this computer."""
        begin = time.monotonic()
        while True:
            ended = self.device.run(argv, timeout_s=timeout_s, on_line=on_line, env=env)
            if ended.exit_code == NO_FOLDER:
                raise MeasurementError(f"no folder to work in on {self.device.name}: {ended.stderr.strip()}")
            if ended.exit_code != BUSY:
                return replace(ended, exit_code=_as_signal(ended.exit_code))
            if time.monotonic() - begin > BUSY_S:
                raise MeasurementError(
                    f"another harness has been measuring on {self.device.name} for {BUSY_S:.0f} s: wait for its end",
                    status=Status.TIMEOUT,
                )
            self.sleep(POLL_S)


def _as_signal(exit_code: int | None) -> int | None:
    """Return -N for a command that died of signal N (1 to 64), of which a shell says 128 + N."""
    return 128 - exit_code if exit_code is not None and 128 < exit_code <= 192 else exit_code


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Call the image that a message begins with as it is called here."""
    name, colon, rest = text.partition(":")
    return f"{names.get(name, name)}{colon}{rest}"
