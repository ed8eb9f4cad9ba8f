"""Find the devices of a farm by what a user writes: a name, `any:KIND`, a kind of which there is one, `all-android`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.drivers.discovery import ALL_ANDROID
from harness.errors import FarmError, UnknownNameError, UsageError
from harness.farm.attached import LOCAL_KIND
from harness.farm.hosts import HostAnswer
from harness.farm.wire import Offer
from harness.profiles import Profile

ANY, EMULATED = "any:", "emulator:"


@dataclass(frozen=True)
class PlannedDevice:
    """One device of a plan: a device of the farm, or any of a kind, with the offers that fit it."""

    name: str
    offers: tuple[Offer, ...]

    @property
    def is_any(self) -> bool:
        """Whether each cell goes to the first free device of a kind."""
        return self.name.startswith(ANY)

    def fits(self, offer: Offer) -> bool:
        """Whether the cells of this device may run on the device of an offer."""
        return offer.name == self.name or (self.is_any and self.name.removeprefix(ANY) in offer.kinds)


def find_devices(text: str, offers: Sequence[Offer]) -> list[PlannedDevice]:
    """Find the device that a user names; several for `all-android`.

    Raises:
        UnknownNameError: There is no such device or kind on the farm; near misses are listed.
        UsageError: Several devices fit.
    """
    if text == ALL_ANDROID:
        return [PlannedDevice(offer.name, (offer,)) for offer in offers if offer.info.is_phone] or _unknown(
            text, offers
        )
    if text == "local":
        text = f"{ANY}{LOCAL_KIND}"
    named = [offer for offer in offers if offer.name == text]
    if named:
        return [PlannedDevice(text, (named[0],))]
    kind = text.removeprefix(ANY)
    fitting = tuple(offer for offer in offers if kind in offer.kinds or offer.name.startswith(f"{kind}@"))
    if text.startswith(ANY) and any(kind in offer.kinds for offer in offers):
        return [PlannedDevice(text, tuple(offer for offer in fitting if kind in offer.kinds))]
    if text.startswith(ANY) or not fitting:
        return _unknown(text, offers)
    if len(fitting) > 1:
        names = ", ".join(offer.name for offer in fitting[:6]) + (", …" if len(fitting) > 6 else "")
        raise UsageError(
            f"device {text!r}: {len(fitting)} devices of the farm fit ({names}); name one, or any:{kind}"
        )
    return [PlannedDevice(fitting[0].name, fitting)]


def usable_offers(hosts: Sequence[HostAnswer]) -> tuple[Offer, ...]:
    """Return the devices of all hosts, each name once.

    Raises:
        FarmError: No host offers any; says why.
    """
    offers: dict[str, Offer] = {}
    for host in hosts:
        for offer in host.description.offers:
            offers.setdefault(offer.name, offer)
    if not offers:
        why = "; ".join(host.problem for host in hosts if host.problem) or f"{len(hosts)} hosts"
        raise FarmError(f"the farm has no devices ({why}); let hosts join with `harness worker ADDRESS`")
    return tuple(offers.values())


def _unknown(text: str, offers: Sequence[Offer]) -> list[PlannedDevice]:
    kinds = {f"{ANY}{kind}" for offer in offers for kind in offer.kinds}
    hint = "`harness devices --scheduler ADDRESS` lists the farm."
    if text.removeprefix(ANY).startswith(EMULATED):
        hint = f"A host offers it with `harness worker ADDRESS --device {text.removeprefix(ANY)}`."
    raise UnknownNameError(
        "device", text, {ALL_ANDROID, *kinds, *(offer.name for offer in offers)}, hint=hint
    )


def profile_of(device: PlannedDevice) -> Profile:
    """Return the profile to plan the cells with: that of the first device that fits."""
    offer = device.offers[0]
    return Profile(offer.profile, Path(offer.origin))
