"""What a user asks for is kept so that it means the same later."""

import json
from dataclasses import replace

import pytest

from harness.bench.request import FarmChoice, Tls, request_facts, request_from_facts, with_farm
from harness.errors import SchemaError


def test_a_request_means_the_same_after_it_was_stored(prepared, tmp_path):
    ready = prepared()
    stored = json.loads(json.dumps(request_facts(ready.request)))
    back = request_from_facts(stored, tmp_path)
    assert replace(back, output=None, workspace=None) == replace(ready.request, output=None, workspace=None)


def test_a_request_of_another_version_is_refused_where_a_value_does_not_fit(prepared, tmp_path):
    facts = json.loads(json.dumps(request_facts(prepared().request)))
    assert request_from_facts({**facts, "of_a_later_version": 1}, tmp_path).models
    with pytest.raises(SchemaError, match="limit"):
        request_from_facts({**facts, "settings": {**facts["settings"], "limit": "many"}}, tmp_path)


def test_the_farm_that_is_given_stands_above_the_plan_s_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = FarmChoice(scheduler="rack1", wait_s=5.0, tls=Tls(ca="/a/ca.pem"))
    given = with_farm(planned, {"farm_wait": 7.0, "tls_key": "me.key", "scheduler": None})
    assert given == FarmChoice(
        scheduler="rack1", wait_s=7.0, tls=Tls(ca="/a/ca.pem", key=str(tmp_path / "me.key"))
    )
    assert with_farm(planned, {}) == planned
