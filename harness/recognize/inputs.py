"""Refuse inputs that cannot be fed with one picture of a known size."""

from __future__ import annotations

from harness.recognize.family import Facts, Refusal


def unusual_inputs(facts: Facts) -> Refusal | None:
    """Refuse several inputs, a fixed batch of more than one picture, and an input of no fixed size."""
    inputs = facts.description.inputs
    words = ", ".join(f"{info.name or 'unnamed'} {list(info.shape)}" for info in inputs)
    if len(inputs) > 1:
        return Refusal(
            f"a model of {len(inputs)} inputs",
            (
                f"input: found {words}; one picture is fed, and what the others want is unknown: export the model "
                "with the image as its only input (RT-DETR and D-FINE: without the postprocessor's sizes).",
            ),
        )
    for info in inputs:
        if len(info.shape) == 4 and info.shape[0] > 1:
            return Refusal(
                f"a model of a fixed batch of {info.shape[0]} pictures",
                (f"input: found {words}; pictures are fed one at a time: export it with a batch of 1.",),
            )
        if len(info.shape) == 4 and 3 in (info.shape[1], info.shape[3]) and -1 in info.shape[1:]:
            return Refusal(
                "a model of dynamic input size",
                (
                    f"input: found {words}; mAP and latency depend on the size: export it with a fixed one, such as "
                    "`imgsz=640`.",
                ),
            )
    return None
