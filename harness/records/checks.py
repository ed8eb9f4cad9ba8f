"""What contradicts an accuracy: a named check, its figures, and the command that helps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from harness.vocabulary import Status

Verdict = Literal["certain", "doubtful", "incomplete"]
_STATUS = {"certain": Status.INCORRECT, "incomplete": Status.PARTIAL_DATA}
PROBE = "harness models probe MODEL --dataset DATASET"
"""Tries the readings of a model on labeled images."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Why an accuracy is not to be believed, or is not the whole.

    Attributes:
        name: Name of the check.
        verdict: `certain` where there is no other explanation, so that the outputs are `incorrect`; `incomplete` where
            the figures are those of a part of the data; else `doubtful`.
        figures: The figures that contradict each other, by their names.
        words: The contradiction, with its figures.
        remedy: What to look at; empty where the command says it all.
        command: The command that helps; empty where none does.
    """

    name: str
    verdict: Verdict
    figures: dict[str, float]
    words: str
    remedy: str = ""
    command: str = ""

    @property
    def certain(self) -> bool:
        """Whether there is no other explanation."""
        return self.verdict == "certain"

    @property
    def reason(self) -> str:
        """The whole as one sentence."""
        run = f"run `{self.command}`" if self.command else ""
        helps = ", or ".join(filter(None, (self.remedy, run)))
        return f"{self.words}: {helps}" if helps else self.words

    def about(self, model: str, dataset: str) -> Check:
        """Name the model and the data set in the command."""
        command = self.command.replace("MODEL", model).replace("DATASET", dataset)
        return msgspec.structs.replace(self, command=command)

    def as_row(self) -> dict[str, Any]:
        """Return it as plain values."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row


def status_of(checks: Iterable[Check]) -> Status:
    """Return the status of an accuracy with figures: that of the gravest of the checks that object to it."""
    words = {check.verdict for check in checks}
    return next((_STATUS[word] for word in _STATUS if word in words), Status.OK)


def verdict(*, certain: bool) -> Verdict:
    """Return the word for a check that is certain, or is not."""
    return "certain" if certain else "doubtful"
