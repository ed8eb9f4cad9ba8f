"""Delegates that can be expected on a phone, and why not the others. Only a run proves that one works."""

from __future__ import annotations

from typing import NamedTuple

from harness.delegates import HEXAGON, KINDS, NNAPI, QNN
from harness.drivers.adb.facts import PhoneFacts


class Refusal(NamedTuple):
    """A delegate that is not to be had, and why."""

    delegate: str
    reason: str


ON_CPU = tuple(kind.name for kind in KINDS.values() if kind.on_cpu)
ACCELERATORS = tuple(kind.name for kind in KINDS.values() if kind.on_phones)
QUALCOMM = "Qualcomm"
NNAPI_SINCE, NNAPI_DEPRECATED = 27, 35


def expect(facts: PhoneFacts) -> tuple[str, ...]:
    """Return the kinds of delegate that can be expected."""
    refused = {refusal.delegate for refusal in refusals(facts)}
    return (*ON_CPU, *(kind for kind in ACCELERATORS if kind not in refused))


def refusals(facts: PhoneFacts) -> tuple[Refusal, ...]:
    """Return the delegates that are known not to work, each with the reason."""
    if not facts.is_android:
        return tuple(Refusal(kind, f"no {kind}: not an Android system") for kind in ACCELERATORS)
    pixel = (facts.manufacturer or "").lower() == "google"
    api, other = facts.api_level or 0, is_qualcomm(facts) is False
    rules = (
        (api < NNAPI_SINCE, NNAPI, f"no nnapi: it exists since Android 8.1, this is API {api}"),
        (pixel, HEXAGON, "no hexagon: a Pixel does not let other programs use the DSP"),
        (not pixel and other, HEXAGON, "no hexagon: not a Qualcomm processor"),
        (other, QNN, "no qnn: not a Qualcomm processor"),
    )
    return tuple(Refusal(kind, reason) for applies, kind, reason in rules if applies)


def remarks(facts: PhoneFacts) -> tuple[str, ...]:
    """Return remarks on delegates that are not refused."""
    unknown = facts.is_android and is_qualcomm(facts) is None
    rules = (
        (unknown, "unknown whether the processor is Qualcomm's, so whether hexagon and qnn can work"),
        ((facts.api_level or 0) >= NNAPI_DEPRECATED, "NNAPI is deprecated since Android 15"),
    )
    return tuple(remark for applies, remark in rules if applies)


def is_qualcomm(facts: PhoneFacts) -> bool | None:
    """Return whether the processor is a Qualcomm one; None where the phone shows nothing of who made it."""
    return None if facts.soc_maker is None else facts.soc_maker == QUALCOMM
