"""Collect what the rows do not say: evidence, settings, models and devices.

Most cells share them, so each is understood and made text once, by its bytes (`harness.records.parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import msgspec

from harness import units
from harness.records.parts import RecordParts
from harness.records.records import DelegateFacts, DeviceFacts, ModelFacts
from harness.report import plain
from harness.text import clean

Facts = tuple[tuple[str, str], ...]
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def make_facts(several: Iterable[RecordParts]) -> dict[str, list[Any]]:
    """Return the evidence and the settings of each cell, and the models and devices of all."""
    evidence_of, settings_of = _Once(_evidence), _Once(_settings)
    model_of, device_of = _Once(_model), _Once(_device)
    evidence, settings = [], []
    models: dict[str, ModelFacts] = {}
    for parts in several:
        evidence.append(evidence_of[parts.delegates])
        settings.append(settings_of[bytes(parts.settings)])
        device_of[bytes(parts.device)]
        model = model_of[bytes(parts.model)]
        models[model.sha256] = model
    return {
        "evidence": evidence,
        "settings": settings,
        "models": list(map(_shown_model, models.values())),
        "devices": [_shown_device(one) for one in sorted(set(device_of.values()), key=str)],
    }


class _Once(dict[K, T]):
    """What was made of each key; it is made when it is first asked for.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[K], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> T:
        """Make it."""
        found = self[key] = self._make(key)
        return found


def pairs(facts: dict[str, Any]) -> Facts:
    """Return what is known of some facts as texts."""
    return tuple((clean(key), clean(plain.cell(value))) for key, value in facts.items() if value is not None)


def _evidence(delegates: tuple[tuple[str, bytes], ...]) -> Facts:
    """Return the evidence of what ran: of the cell, of processes where theirs differs, and of the accuracy."""
    told: list[tuple[str, str]] = []
    raw_lines: set[str] = set()
    seen: set[str] = set()
    for who, facts in delegates:
        evidence = msgspec.json.decode(facts, type=DelegateFacts).evidence
        lines = [clean(line) for line in evidence if line not in raw_lines]
        told += [(who, line) for line in lines if line not in seen]
        raw_lines.update(evidence)
        seen.update(lines)
    return tuple(told)


def _settings(settings: bytes) -> Facts:
    return pairs(msgspec.json.decode(settings, type=dict[str, Any]))


def _model(model: bytes) -> ModelFacts:
    return msgspec.json.decode(model, type=ModelFacts)


def _device(device: bytes) -> tuple[str | None, ...]:
    facts = msgspec.json.decode(device, type=DeviceFacts)
    told = ", ".join(f"{key}: {plain.cell(value)}" for key, value in facts.facts.items())
    return facts.name, facts.kind, facts.model, facts.soc, facts.os, facts.abi, told


def _shown_model(model: ModelFacts) -> dict[str, Any]:
    return {
        "name": clean(model.name),
        "sha256": clean(model.sha256),
        "size": units.size(model.size_bytes),
        "quantization": clean(model.quantization),
        "evidence": list(map(clean, model.evidence)),
    }


def _shown_device(device: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(clean(text or units.MISSING) for text in device)
