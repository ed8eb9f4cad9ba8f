"""Where `devices/`, `models/` and `results/` are.

Looked up in this order: `--workspace`, else the nearest folder upward that holds both `devices/` and
`models/`, else the copy bundled in the wheel, else the checkout of an editable install.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import atomic
from harness.errors import OutputError, UsageError, WorkspaceError
from harness.paths import exists, expand_user, is_folder, resolved, working_folder

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Workspace:
    """A folder that holds device profiles and model cards.

    Attributes:
        root: The folder with `devices/` and `models/`.
        bundled: True for what came with the program, in a wheel or a checkout, where no results go.
    """

    root: Path
    bundled: bool = False

    @property
    def devices(self) -> Path:
        """Folder of the device profiles."""
        return self.root / "devices"

    @property
    def models(self) -> Path:
        """Folder of the model cards."""
        return self.root / "models"

    @property
    def results(self) -> Path:
        """Folder of the runs: in the workspace, or below the working folder where that is in none."""
        return (working_folder() if self.bundled else self.root) / "results"


def find_workspace(explicit: str | Path | None = None) -> Workspace:
    """Find the workspace.

    Args:
        explicit: The folder given with `--workspace`.

    Raises:
        WorkspaceError: Says what was looked for and where.
    """
    if explicit is not None:
        root = expand_user(explicit)
        if not _is_workspace(root):
            raise WorkspaceError(f"{root}: not a workspace; expected the folders devices/ and models/ in it")
        return Workspace(resolved(root))
    here = resolved(working_folder())
    found = enclosing_workspace(here)
    if found is not None:
        return found
    try:
        return bundled_workspace()
    except WorkspaceError as error:
        raise WorkspaceError(
            f"no workspace: looked for a folder with devices/ and models/ in {here} and above it, and {error}; "
            "give one with --workspace"
        ) from error


def enclosing_workspace(place: Path) -> Workspace | None:
    """Return the nearest workspace at a place or above it; None where there is none."""
    whole = resolved(place)
    return next((Workspace(folder) for folder in (whole, *whole.parents) if _is_workspace(folder)), None)


def bundled_workspace() -> Workspace:
    """Return what came with the program: the copy in the wheel, or the checkout of an editable install.

    Raises:
        WorkspaceError: There is neither.
    """
    bundled = PACKAGE / "_bundled"
    if _is_workspace(bundled):
        return Workspace(bundled, bundled=True)
    if _is_workspace(PACKAGE.parent):
        return Workspace(PACKAGE.parent, bundled=True)
    raise WorkspaceError(f"in {bundled} and {PACKAGE.parent}, which came with the program")


def _is_workspace(folder: Path) -> bool:
    """A workspace holds both folders, and they hold data, not somebody's Python package.

    A folder that may not be looked into, as those above the current one may be, is none.
    """
    try:
        return all(
            is_folder(folder / name) and not exists(folder / name / "__init__.py")
            for name in ("devices", "models")
        )
    except UsageError:
        return False


def ensure_writable(folder: Path) -> None:
    """Create `folder` and prove that a file can be written there, before anything is measured.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    try:
        atomic.make_folder(folder)
        atomic.check_folder(folder)
    except OutputError as error:
        raise OutputError(f"{error}; choose another folder with --output") from error
