"""The table of Qualcomm's chips and the phones that have them: `devices/socs/qualcomm.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness import schema
from harness.errors import UnknownNameError
from harness.paths import is_file
from harness.schema import Strict
from harness.workspace import Workspace, bundled_workspace

PLACE = Path("socs", "qualcomm.toml")
Floats = Literal["float16", "float32", "unknown"]


class Soc(Strict, frozen=True, kw_only=True):
    """A chip; the keys are explained at the head of the file."""

    name: str
    marketing: str
    phones: tuple[str, ...]
    floats: Floats = "unknown"


class _File(Strict, frozen=True, kw_only=True):
    socs: tuple[Soc, ...]


def list_socs(workspace: Workspace) -> tuple[Soc, ...]:
    """Read the workspace's table, or the one that came with the program where it has none.

    Raises:
        SchemaError: A row does not fit.
    """
    own = workspace.devices / PLACE
    path = own if is_file(own) else bundled_workspace().devices / PLACE
    return schema.convert(schema.load_toml(path), _File, path).socs


def find_soc(name: str, workspace: Workspace) -> Soc:
    """Return a chip by its name, without regard to case.

    Raises:
        UnknownNameError: There is no such chip in the table; near misses are listed.
    """
    known = {soc.name: soc for soc in list_socs(workspace)}
    if name.upper() not in known:
        hint = f"devices/{PLACE} says what phones have them; a row added there makes another known."
        raise UnknownNameError("chip", name, known, hint=hint)
    return known[name.upper()]
