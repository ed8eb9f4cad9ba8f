"""A fake device whose round trips are counted."""

from harness.drivers.fake import FakeDevice


class CountedDevice(FakeDevice):
    """Counts round trips: calls, and what a push says and sends besides."""

    @property
    def round_trips(self):
        return sum(self.calls[action] for action in ("push", "run", "pull"))
