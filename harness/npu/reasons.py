"""The table of reasons and remedies, `reasons.toml`, looked up."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from harness import schema
from harness.npu.compiler_log import CompilerLog, Refusal
from harness.schema import Strict

FILE = Path(__file__).with_name("reasons.toml")


class Reason(Strict, frozen=True, kw_only=True):
    """A row; the keys are explained at the head of the file."""

    why: str
    remedy: str
    operators: tuple[str, ...] = ()
    node: str = ""
    inputs: tuple[str, ...] = ()
    says: str = ""
    model: bool = False
    verdict: bool = True

    def fits(self, operator: str, refusal: Refusal, log: CompilerLog) -> bool:
        """Whether an operator was refused for this."""
        return (
            not self.model
            and (not self.operators or operator in self.operators)
            and self.node in {"", refusal.node}
            and self._fits_types(refusal)
            and self.is_said(log)
        )

    def is_said(self, log: CompilerLog) -> bool:
        """Whether the compiler's words are in its log."""
        return not self.says or any(self.says in words for words in (*log.problems, *log.remarks))

    def _fits_types(self, refusal: Refusal) -> bool:
        types = [value.type for value in refusal.values]
        return len(types) >= len(self.inputs) and all(map(fnmatchcase, types, self.inputs))


class _File(Strict, frozen=True, kw_only=True):
    reasons: tuple[Reason, ...]


@cache
def reasons() -> tuple[Reason, ...]:
    """Read the table."""
    return schema.convert(schema.load_toml(FILE), _File, FILE).reasons


def find_reason(operator: str, refusal: Refusal, log: CompilerLog) -> Reason | None:
    """Return the row for a refused operator; None where no row fits, which is then unknown."""
    return next((row for row in reasons() if row.fits(operator, refusal, log)), None)


def find_model_reason(log: CompilerLog) -> Reason | None:
    """Return the row for a model that could not be compiled at all."""
    return next((row for row in reasons() if row.model and row.is_said(log)), None)
