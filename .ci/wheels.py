"""Check, without installing anything, that every dependency has a wheel for each Python and processor.

Usage: python .ci/wheels.py [NAME…]    (default: all dependencies of pyproject.toml)
Exit status 1 where a dependency that is always installed lacks a wheel that `KNOWN` does not name.
"""

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
GLIBC = (17, 26, 27, 28, 31, 34, 35, 36)
"""Debian 12 has 2.36; each is a platform of its own to pip."""
KNOWN = {"adb-shell"}
"""Published as source only, in pure Python: pip builds it anywhere."""
LINE = "{:<28} {:<7} {:<8} {}"


def requirements(names: list[str]) -> Iterator[tuple[Requirement, bool]]:
    """Return what pyproject.toml asks for: (requirement, whether it is always installed)."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    listed = [(text, True) for text in project["dependencies"]]
    listed += [(text, False) for extra, texts in extras if extra != "test" for text in texts]
    for text, always in listed:
        one = Requirement(text)
        if not one.name.startswith("ondevice") and (not names or one.name in names):
            yield one, always


def has_wheel(one: Requirement, python: str, processor: str, folder: str) -> bool:
    """Ask pip to resolve one package for another computer, from wheels alone."""
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in GLIBC] + [f"manylinux2014_{processor}"]
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed"]
    argv += ["--only-binary", ":all:", "--target", folder, "--python-version", python]
    argv += [word for platform in platforms for word in ("--platform", platform)]
    return (
        subprocess.run([*argv, f"{one.name}{one.specifier}"], capture_output=True, check=False).returncode
        == 0
    )


def wanted(one: Requirement, python: str, processor: str) -> bool:
    """Whether the requirement's marker asks for it there."""
    there = {"python_version": python, "platform_machine": processor, "sys_platform": "linux"}
    return one.marker is None or one.marker.evaluate(there)


def main() -> int:
    """Print what lacks a wheel."""
    missing = []
    found = list(dict.fromkeys(requirements(sys.argv[1:])))
    asked = [
        (one, always, python, processor)
        for (one, always), python, processor in itertools.product(found, PYTHONS, PROCESSORS)
        if wanted(one, python, processor)
    ]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda row: has_wheel(row[0], row[2], row[3], folder), asked)
        for (one, always, python, processor), there in zip(asked, answers, strict=True):
            if not there:
                missing.append(always and one.name not in KNOWN)
                print(LINE.format(str(one), python, processor, "always" if always else "extra"), flush=True)
    print(f"{len(asked)} asked, {len(missing)} without a wheel")
    return int(any(missing))


if __name__ == "__main__":
    sys.exit(main())
