"""The one place where a number gets its printed form.

Rendering code asks here by kind of quantity; nothing else in the package formats a measured number. All
functions give `MISSING` for None: an unknown value is never printed as 0 or -1.
"""

from __future__ import annotations

MISSING = "–"
NS_PER_MS = 1e6
BYTES_PER_MB = 1e6
"""Sizes of files are in MB of 10^6 bytes; peak memory is in MiB (2^20) where it is measured and says so."""


def milliseconds(value: float | None) -> str:
    """Format a latency in ms with three significant digits and at most three decimals."""
    if value is None:
        return MISSING
    if value >= 99.95:  # the limits are where the next shorter form is reached by rounding
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.9995 else f"{value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Format the interval of a latency in ms as `low–high`."""
    if low is None or high is None:
        return MISSING
    return f"{milliseconds(low)}–{milliseconds(high)}"


def metric(value: float | None) -> str:
    """Format a COCO figure (0…1) with three decimals, as pycocotools prints it."""
    return MISSING if value is None else f"{value:.3f}"


def signed_metric(value: float | None) -> str:
    """Format a difference of two COCO figures with its sign."""
    return MISSING if value is None else f"{value:+.3f}"


def percent(value: float | None) -> str:
    """Format a share given in percent with its sign."""
    return MISSING if value is None else f"{value:+.0f}%"


def share(value: float | None) -> str:
    """Format a share of 1 in percent."""
    return MISSING if value is None else f"{100 * value:.1f}%"


def ratio(value: float | None) -> str:
    """Format a figure divided by another, with three significant digits."""
    return MISSING if value is None else f"{value:.3g}×"


def percent_change(value: float | None) -> str:
    """Format a change given in percent with its sign and one decimal."""
    return MISSING if value is None else f"{value:+.1f}%"


def decibels(value: float | None) -> str:
    """Format a ratio in dB, of which equal tensors have none."""
    return MISSING if value is None else f"{value:.1f}"


def rate(value: float | None) -> str:
    """Format a rate per second (FPS, images a second)."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def size(n_bytes: float | None) -> str:
    """Format a file size given in bytes: kB below 1 MB, MB above (decimal units)."""
    if n_bytes is None:
        return MISSING
    if n_bytes < 999_500:
        return f"{n_bytes / 1e3:,.0f} kB"
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes < 999.95e6 else f"{n_bytes / 1e9:,.2f} GB"


def megabytes(value: float | None) -> str:
    """Format a memory figure given in MB."""
    return MISSING if value is None else f"{value:,.0f}"


def count(value: int | None) -> str:
    """Format a whole number with thousands separators."""
    return MISSING if value is None else f"{value:,}"


def counted(n: int | None, noun: str) -> str:
    """Format how many there are of something whose plural takes an s.

    >>> counted(1, "cell"), counted(1200, "cell")
    ('1 cell', '1,200 cells')
    """
    return MISSING if n is None else f"{count(n)} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Format a span of time: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
