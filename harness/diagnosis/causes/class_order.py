"""The class heads of the quantized file have their classes in another order than the float model's."""

from __future__ import annotations

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.put_back import listed
from harness.diagnosis.causes.suspects import find_suspects, pairs_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.constant_faults import ClassOrder, class_order

CAUSE = "class-order"


def examine(evidence: Evidence) -> Finding | None:
    """Put the heads' weights back into the float model's order."""
    faults = find_suspects(evidence).classes
    orders = [order for fault in faults if fault.order and (order := class_order(fault.order))]
    if not orders:
        return None
    order = orders[0]
    layers = list(dict.fromkeys(fault.pair.layer for fault in faults))
    return put_back.finding(
        evidence,
        CAUSE,
        pairs_of(faults),
        f"the heads ({listed(layers)}) have the float model's classes in another order: {_words(evidence, order)}",
        "Export with the label map of the float model, or write the other order into the card's labels; the command "
        "quantizes the float model.",
        (Number("classes that moved", len(order.moved)), Number("heads", len(layers))),
    )


def _words(evidence: Evidence, order: ClassOrder) -> str:
    """Return which class stands where another one belongs."""
    names = evidence.pair.quantized.card.labels.names or ()
    shift = order.n - len(names)

    def name(column: int) -> str:
        return names[column - shift] if names and column >= shift >= 0 else f"column {column}"

    return listed([f"{name(order.order[k])} in the place of {name(k)}" for k in order.moved], 6)
