"""What of a plan holds for some of its cells only: those that are left out, and those with other settings."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from harness.option import declared
from harness.schema import Strict
from harness.settings import Settings


class Rule(Strict, frozen=True, kw_only=True):
    """Which cells something applies to: patterns such as `shapes-*` for model, device and delegate."""

    model: str = "*"
    device: str = "*"
    delegate: str = "*"

    def fits(self, model: str, device: str, delegate: str) -> bool:
        """Whether a cell is meant."""
        pairs = ((model, self.model), (device, self.device), (delegate, self.delegate))
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


class GivenSettings(Strict, frozen=True, kw_only=True):
    """Settings that a plan file or an override may give, with keys of their names; None leaves one as it is."""

    def given(self) -> dict[str, Any]:
        """The settings that are given."""
        values = {one.name: getattr(self, one.name, None) for one in declared(Settings)}
        return {name: value for name, value in values.items() if value is not None}


OVERRIDABLE = [(one.name, one.kind | None, None) for one in declared(Settings) if one.option.override]
"""Name, type and default of the settings that may differ from cell to cell."""

if TYPE_CHECKING:
    Tuning: TypeAlias = GivenSettings
else:
    Tuning = msgspec.defstruct(
        "Tuning", OVERRIDABLE, bases=(GivenSettings,), frozen=True, kw_only=True, module=__name__
    )


class Override(Rule, frozen=True, kw_only=True):
    """Other settings for some cells."""

    set: Tuning
