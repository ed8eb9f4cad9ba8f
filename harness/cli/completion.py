"""What a shell may complete an argument with: names that are known here, else files.

Click asks these when the shell asks it (`_HARNESS_COMPLETE`). Whatever is missing or broken completes nothing: a shell
that prints an error in the middle of a line helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.paths import found_in

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem

Complete = Callable[["Context", "Parameter", str], "list[CompletionItem]"]


def _completing(names: Callable[[str | None], Iterable[str]], *, files: bool = True) -> Complete:
    """Make a completer of the names that a workspace knows; the shell takes files where no name fits."""

    def complete(ctx: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            known = [name for name in names(_workspace(ctx)) if name.startswith(incomplete)]
        except (HarnessError, OSError):
            known = []
        # The file comes first: bash's script empties its list at that.
        return [*([CompletionItem("", type="file")] if files else []), *map(CompletionItem, known)]

    return complete


def _workspace(ctx: Context) -> str | None:
    """The workspace that the command line names so far."""
    found: Any = ctx.find_root().params.get("workspace")
    return found if isinstance(found, str) else None


def _runs(workspace: str | None) -> list[str]:
    from harness.records.records import find_runs
    from harness.rows.selection import LATEST
    from harness.workspace import find_workspace

    ids = [run.name for run in find_runs(find_workspace(workspace).results)]
    return [LATEST, *reversed(ids)] if ids else []


def _columns(workspace: str | None) -> list[str]:
    from harness.rows.columns import NAMES

    return list(NAMES)


def _stems(workspace: str | None, folder: str) -> list[str]:
    from harness.workspace import find_workspace

    place = find_workspace(workspace)
    return [path.stem for path in found_in(place.root / folder, "*.toml")]


runs = _completing(_runs)
columns = _completing(_columns, files=False)
models = _completing(lambda workspace: _stems(workspace, "models"))
devices = _completing(lambda workspace: ["all-android", *_stems(workspace, "devices")], files=False)
