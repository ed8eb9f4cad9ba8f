"""What a drawn fault gives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Broken:
    """A pair with a fault.

    Attributes:
        card: Of the broken side.
        what: What was done, with the layer and the size.
        reference: Card of the float side; None for the subject's own.
    """

    card: Path
    what: str
    reference: Path | None = None
