"""What is sent to a board: our worker and all that it imports, as one file."""

import subprocess
import sys

from harness.bench.engines.bundle import make_bundle


def test_the_bundle_has_the_same_bytes_every_time_and_no_part_that_a_worker_does_not_need(tmp_path):
    one, two = make_bundle(tmp_path / "1"), make_bundle(tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(one)], capture_output=True, text=True, check=True
    ).stdout
    assert "harness/worker/latency.py" in names
    assert "harness/cli/" not in names and "harness/drivers/" not in names
    assert one.stat().st_size < 400_000


def test_the_bundle_is_all_that_a_worker_imports_of_us(tmp_path):
    bundle = make_bundle(tmp_path)
    code = (
        "import sys\n"
        "from harness.worker import __main__, accuracy, latency, operators\n"
        "from harness.detectors.registry import DECODERS\n"
        "from importlib import import_module\n"
        "for target in DECODERS.values(): import_module(str(target).partition(':')[0])\n"
        "ours = [m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'harness']\n"
        "print([path for path in ours if not path.startswith(sys.argv[1])], len(ours) > 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle)], env={"PYTHONPATH": str(bundle)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[] True\n", done.stderr


def test_latency_needs_nothing_of_a_board_but_numpy_and_a_runtime(tmp_path):
    code = (
        "import sys\n"
        "class Bare:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'msgspec', 'PIL', 'psutil', 'requests', 'rich'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Bare())\n"
        "from harness.worker import __main__, latency, operators\n"
    )
    environment = {"PYTHONPATH": str(make_bundle(tmp_path))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
