"""The command `harness`: a table of commands, each imported only when it is used, and the exit status."""

from __future__ import annotations

import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import rich_click as click

from harness.cli import streams
from harness.cli.common import CONTEXT, examples
from harness.cli.loudness import add_loudness
from harness.cli.printing import Loudness, loudness, set_loudness
from harness.cli.signals import end_on_signals
from harness.errors import HarnessError, near_misses
from harness.text import clean_lines
from harness.version import __version__


class Entry(NamedTuple):
    """Where a command is (its module's attribute `command`) and its line in `harness --help`."""

    module: str
    help: str


COMMANDS = {
    "run": Entry("harness.cli.run", "Measure models on devices: latency, memory and COCO accuracy."),
    "report": Entry("harness.cli.report", "Show, sort and export the results of earlier runs."),
    "runs": Entry("harness.cli.runs", "List the runs that are kept, and take some away."),
    "compare": Entry("harness.cli.compare", "Hold two runs against each other, and gate a change."),
    "models": Entry("harness.cli.models", "List, show, fetch and probe model cards."),
    "inspect": Entry("harness.cli.inspect", "Look into a model: operators, cost, and where it will run."),
    "edit": Entry("harness.cli.edit", "Set the NMS inside a .tflite, take it out, put it in."),
    "devices": Entry("harness.cli.devices", "List the devices that can be reached, and why others cannot."),
    "doctor": Entry("harness.cli.doctor", "Check everything that a run needs, and say what to do."),
    "worker": Entry("harness.cli.worker", "Offer this computer's devices to a farm of many hosts."),
    "edgetpu": Entry("harness.cli.edgetpu", "Compile for the Coral Edge TPU, and read the compiler's log."),
    "npu": Entry("harness.cli.npu", "Ask Qualcomm's compiler what its NPU takes, and why not the rest."),
    "convert": Entry("harness.cli.convert", "Convert a TensorFlow model by the route that fits its graph."),
    "quantize": Entry("harness.cli.quantize", "Quantize a float .tflite, and say what it cost."),
    "diagnose": Entry("harness.cli.diagnose", "Find out why a quantized model lost accuracy."),
    "prune": Entry("harness.cli.prune", "Set the smallest weights to zero, and measure before and after."),
    "resize": Entry("harness.cli.resize", "Give a convolutional model other input sizes, and measure."),
    "detect": Entry("harness.cli.detect", "Show what a model finds in images, and draw it."),
    "evaluate": Entry("harness.cli.evaluate", "Compute the COCO figures of a file of detections."),
}
"""Every command in the order of `harness --help`. The help stands here so that listing imports no command."""

INTERRUPTED = 130
PIPE_CLOSED = 141
"""128 + SIGPIPE: what a shell reports for any program whose reader has gone."""
REPORT_FAULT = (
    "\nThis is a fault of the harness, not of your input. Please report it with the text above:\n"
    "https://github.com/ondevice-harness/ondevice-harness/issues"
)


class Listed(click.RichCommand):
    """A command that is listed but not imported yet."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name=name, help=entry.help)
        self.module = entry.module

    def load(self) -> click.Command:
        """Import the command itself."""
        command: click.Command = importlib.import_module(self.module).command
        add_loudness(command)
        return command


class LazyGroup(click.RichGroup):
    """A group whose commands are imported when they are called, not when they are listed."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, and import it.

        Raises:
            click.UsageError: There is no such command; near misses are named.
        """
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = near_misses(args[0], self.commands)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Commands: {', '.join(self.commands)}."
            raise click.UsageError(f"unknown command {args[0]!r}. {hint}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(self.commands)


@click.group(
    "harness",
    cls=LazyGroup,
    commands={name: Listed(name, entry) for name, entry in COMMANDS.items()},
    context_settings=CONTEXT,
    epilog=examples(
        "harness run                         the bundled example on this computer",
        "harness run ssd.tflite -d pixel-4   one model on one device",
        "harness report latest               the last results again",
        "harness COMMAND --help              every command has examples",
    ),
)
@click.option(
    "--workspace",
    metavar="DIR",
    help="Folder with devices/ and models/. [default: the nearest one upward, else the bundled one]",
)
@click.version_option(__version__, prog_name="harness", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, workspace: str | None) -> None:
    """Find out which detector to ship: latency, memory and COCO accuracy of TFLite models on real devices."""
    ctx.obj = workspace


add_loudness(cli)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status.

    0 done, 1 a job or gate failed, 2 wrong use or bad input, 3 a gate that the data cannot decide (a command
    says so with `ctx.exit(3)`), 130 interrupted.
    """
    end_on_signals()
    streams.prepare()
    set_loudness(Loudness.NORMAL)
    _spare_package_metadata()
    try:
        result = cli.main(args if args is None else list(args), prog_name="harness", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        sys.exit(_status_of(error))
    sys.exit(result if isinstance(result, int) else 0)


def _status_of(error: BaseException) -> int:
    """Tell the user what went wrong and return the exit status."""
    error = _cause(error)
    if _reader_has_gone() or (
        isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)
    ):
        streams.discard(sys.stdout)
        return PIPE_CLOSED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        _complain("interrupted")
        return INTERRUPTED
    if isinstance(error, HarnessError):
        if loudness() is Loudness.VERBOSE:
            _show_where(error)
        _complain(f"error: {error}")
        return error.exit_status
    if isinstance(error, click.ClickException):
        _complain(_wrong_use(error))
        return error.exit_code
    _show_where(error)
    _complain(REPORT_FAULT)
    return 1


def _show_where(error: BaseException) -> None:
    """Print the traceback."""
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)


def _cause(error: BaseException) -> BaseException:
    """Click turns Ctrl-C into Abort, but also the EOFError of a truncated file, which is a fault."""
    return error.__context__ or error if isinstance(error, click.Abort) else error


def _wrong_use(error: click.ClickException) -> str:
    message = error.format_message()
    context: Any = getattr(error, "ctx", None)
    if context is None:
        return f"error: {message}"
    return f"error: {message}\nTry '{context.command_path} --help'."


def _complain(text: str) -> None:
    """Write to stderr."""
    print(clean_lines(text), file=sys.stderr, flush=True)  # noqa: T201


def _reader_has_gone() -> bool:
    """Whether stdout is a pipe that nobody reads any more (`harness … | head`).

    Asked of the pipe itself: a BrokenPipeError may as well come from a device.
    """
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        return bool(poll.poll(0))
    except (OSError, ValueError, AttributeError):  # not a file, or a system without poll
        return False


def _spare_package_metadata() -> None:
    """Tell click its version, read off the name of its folder of metadata.

    Rich-click asks click for it before it renders help, and click reads it with `importlib.metadata`, whose imports
    (email, zipfile …) are a fifth of the time that `harness --help` takes. Where there is no such folder, it may.
    """
    import click

    if "__version__" in vars(click) or click.__file__ is None:
        return
    packages = os.path.dirname(os.path.dirname(click.__file__))  # noqa: PTH120 - pathlib is one of those imports
    for name in os.listdir(packages) if os.path.isdir(packages) else ():  # noqa: PTH112, PTH208
        if name.startswith("click-") and name.endswith(".dist-info"):
            setattr(click, "__version__", name.removeprefix("click-").removesuffix(".dist-info"))  # noqa: B010
