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
    api, qualcomm = facts.api_level or 0, is_qualcomm(facts)
    rules = (
        (api < NNAPI_SINCE, NNAPI, f"no nnapi: it exists since Android 8.1, this is API {api}"),
        (pixel, HEXAGON, "no hexagon: a Pixel does not let other programs use the DSP"),
        (not pixel and not qualcomm, HEXAGON, "no hexagon: not a Qualcomm processor"),
        (not qualcomm, QNN, "no qnn: not a Qualcomm processor"),
    )
    return tuple(Refusal(kind, reason) for applies, kind, reason in rules if applies)


def remarks(facts: PhoneFacts) -> tuple[str, ...]:
    """Return remarks on delegates that are not refused."""
    if facts.api_level is not None and facts.api_level >= NNAPI_DEPRECATED:
        return ("NNAPI is deprecated since Android 15",)
    return ()


def is_qualcomm(facts: PhoneFacts) -> bool:
    """Return whether the processor is a Qualcomm one, by the names its properties use."""
    soc = (facts.soc or "").lower()
    names = ("qualcomm", "qti", "qcom", "msm", "sdm", "sm6", "sm7", "sm8", "snapdragon", "kona", "lahaina", "taro",
             "kalama", "pineapple", "lito", "trinket", "bengal", "holi")  # fmt: skip
    return any(name in soc for name in names)
