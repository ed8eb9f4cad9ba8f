"""Check, without installing anything, that every dependency has a wheel for each Python and processor.

Usage: python .ci/wheels.py [NAME…]    (default: all dependencies of pyproject.toml)
Exit status 1 where a dependency that is always installed lacks a wheel that `KNOWN` does not name, or where `KNOWN`
names one that has it; 2 where no package index answers, and nothing can be said.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

# pip's own reading of the index, its settings included: asking `pip install --dry-run` for each takes ten minutes.
from pip._internal.commands import create_command
from pip._internal.index.collector import LinkCollector, parse_links
from pip._internal.models.link import Link

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
PROCESSORS = ("x86_64", "aarch64")
GLIBC = range(36, 16, -1)
"""Debian 12 has 2.36; older ones are platforms of their own."""
KNOWN = {"adb-shell"}
"""Published as source only, in pure Python: pip builds it anywhere."""
ALWAYS_THERE = "packaging"
"""A package that every index has: where it is not found, no index answers."""
LINE = "{:<28} {:<7} {:<8} {}"


class Wanted(NamedTuple):
    """A requirement, and whether it is always installed."""

    requirement: Requirement
    always: bool


class Computer(NamedTuple):
    """A Python on a processor, and the tags of the wheels that it can install."""

    python: tuple[int, int]
    processor: str
    tags: frozenset[Tag]


def wanted(names: list[str]) -> Iterator[Wanted]:
    """Return what pyproject.toml asks for, without what only the tests need."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    listed = [(text, True) for text in project["dependencies"]]
    listed += [(text, False) for extra, texts in extras if extra != "test" for text in texts]
    for text, always in listed:
        one = Requirement(text)
        if not one.name.startswith("ondevice") and (not names or one.name in names):
            yield Wanted(one, always)


def computer(python: tuple[int, int], processor: str) -> Computer:
    """Return a computer with Debian 12 or later."""
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in GLIBC] + [f"manylinux2014_{processor}"]
    tags = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms)}
    return Computer(python, processor, frozenset(tags))


def is_wanted(one: Requirement, there: Computer) -> bool:
    """Whether the requirement's marker asks for it there."""
    python = ".".join(map(str, there.python))
    facts = {"python_version": python, "platform_machine": there.processor, "sys_platform": "linux"}
    return one.marker is None or one.marker.evaluate(facts)


@contextmanager
def index() -> Iterator[Callable[[str], list[Link]] | None]:
    """Give what lists the files of a package on the indexes that pip is set up with; None where the first is mute."""
    command = create_command("download")
    options, _ = command.parse_args([ALWAYS_THERE])

    def read(name: str) -> list[Link]:
        places = map(Link, collector.search_scope.get_index_urls_locations(name))
        pages = (collector.fetch_response(place) for place in places)
        return [link for page in pages if page is not None for link in parse_links(page)]

    with command.main_context():
        collector = LinkCollector.create(command.get_default_session(options), options=options)
        first = Link(collector.search_scope.get_index_urls_locations(ALWAYS_THERE)[0])
        yield read if collector.fetch_response(first) is not None else None


def fits(link: Link, one: Requirement, there: Computer) -> bool:
    """Whether a file is a wheel of the version that is asked for and can be installed there."""
    try:
        _, version, _, tags = parse_wheel_filename(link.filename)
    except InvalidWheelFilename:
        return False
    python = ".".join(map(str, there.python))
    runs = SpecifierSet(link.requires_python or "").contains(f"{python}.99")
    return runs and not link.is_yanked and not there.tags.isdisjoint(tags) and one.specifier.contains(version)


def main() -> int:
    """Print what lacks a wheel."""
    found = list(dict.fromkeys(wanted(sys.argv[1:])))
    computers = [computer(*place) for place in product(PYTHONS, PROCESSORS)]
    with index() as read:
        if read is None:
            print("no package index answers here: nothing can be said about wheels", file=sys.stderr)
            return 2
        files = {one.requirement.name: read(one.requirement.name) for one in found}
    missing = [
        (one, there)
        for one, there in product(found, computers)
        if is_wanted(one.requirement, there)
        and not any(fits(link, one.requirement, there) for link in files[one.requirement.name])
    ]
    for one, there in missing:
        python = ".".join(map(str, there.python))
        asked = f"{one.requirement.name}{one.requirement.specifier}"
        print(LINE.format(asked, python, there.processor, "always" if one.always else "an extra"))
    print(
        f"{len(found)} dependencies for {len(computers)} kinds of computers: {len(missing)} without a wheel"
    )
    lacks = {one.requirement.name for one, _ in missing if one.always}
    return int(bool(lacks - KNOWN) or not (sys.argv[1:] or lacks >= KNOWN))


if __name__ == "__main__":
    sys.exit(main())
