"""Durations of inferences, made up."""

import numpy as np

MS = 1_000_000


def ns(*milliseconds: float) -> np.ndarray:
    return np.array([round(value * MS) for value in milliseconds], dtype=np.int64)


def lognormal(rng: np.random.Generator, n: int, sd: float = 0.02, level: float = 10.0) -> np.ndarray:
    return (level * MS * np.exp(sd * rng.standard_normal(n))).astype(np.int64)
