"""The admin routes that change something: what they do to the requests that follow, and what they refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.server.gateways import GatewayThread

Question = Callable[[], str]


@pytest.fixture(autouse=True)
def _as_before(gateway: GatewayThread) -> Iterator[None]:
    yield
    control = gateway.get("/api/v1/control")
    if not control["enabled"]:
        change(gateway, "POST", "/api/v1/kill-switch", {"enabled": True})
    for where in control["overrides"]:
        change(gateway, "PUT", "/api/v1/switches", {"where": where, "to": None})


def change(gateway: GatewayThread, method: str, path: str, body: object) -> Any:
    reply = gateway.admin(method, path, body)
    assert reply.status == 200, reply.body
    assert (reply.json["confirmed"], reply.json["workers"]) == (1, 1)
    return reply.json


def purge(gateway: GatewayThread, by: str, value: str | float = "") -> Any:
    return change(gateway, "POST", "/api/v1/purge", {"by": by, "value": value})


@pytest.mark.parametrize(
    ("by", "of"),
    [
        ("all", lambda receipt: ""),
        ("key", lambda receipt: receipt["key"]),
        ("model", lambda receipt: receipt["model"]),
        ("scope", lambda receipt: receipt["scope"]),
        ("tag", lambda receipt: receipt["tags"][0]),
        ("older_than", lambda receipt: time.time()),
        ("older_than", lambda receipt: "1ms"),
    ],
)
def test_what_a_purge_selects_is_asked_for_again(
    gateway: GatewayThread, question: Question, by: str, of: Callable[[Any], str | float]
) -> None:
    asked, tags = question(), {"x-pennyworth-tags": "house-rules"}
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": asked}]}

    def served() -> Any:
        return gateway.receipt_of(gateway.post(body, tags))

    first = served()
    assert served()["served"] == "exact"
    time.sleep(0.002)
    said = purge(gateway, by, of(first))
    assert served()["served"] == "upstream"
    assert served()["served"] == "exact"
    assert said["epoch"] >= 1


def test_what_a_purge_does_not_select_stays(gateway: GatewayThread, question: Question) -> None:
    asked = question()
    gateway.ask(asked)
    purge(gateway, "model", "gpt-4o")
    purge(gateway, "scope", "somebody else")
    purge(gateway, "tag", "other")
    purge(gateway, "key", "0123456789abcdef")
    purge(gateway, "older_than", "1h")
    assert gateway.how(asked) == "exact"


def test_the_kill_switch_makes_a_plain_proxy_that_still_writes_receipts(
    gateway: GatewayThread, question: Question
) -> None:
    asked = question()
    gateway.ask(asked)
    said = change(gateway, "POST", "/api/v1/kill-switch", {"enabled": False})
    assert said["enabled"] is False
    before = gateway.get("/api/v1/totals")["groups"][""]["requests"]
    assert [gateway.how(asked), gateway.how(asked)] == ["upstream", "upstream"]
    assert gateway.get("/api/v1/totals")["groups"][""]["requests"] == before + 2
    assert gateway.get("/api/v1/cache/stats")["workers"][0]["enabled"] is False
    change(gateway, "POST", "/api/v1/kill-switch", {"enabled": True})
    assert gateway.how(asked) == "exact"


def test_a_switch_turns_a_layer_off_on_its_route_alone(gateway: GatewayThread, question: Question) -> None:
    asked = question()
    gateway.ask(asked)
    gateway.ask(asked, model="gpt-4o")
    change(gateway, "PUT", "/api/v1/switches", {"where": "normalised@rest", "to": "off"})
    said = change(gateway, "PUT", "/api/v1/switches", {"where": "exact@rest", "to": "off"})
    assert said["overrides"] == {"normalised@rest": "off", "exact@rest": "off"}
    assert gateway.how(asked) == "upstream"
    assert gateway.how(asked, model="gpt-4o") == "exact"
    switches = gateway.get("/api/v1/control")["switches"]
    assert (switches["rest"]["exact"], switches["strict"]["exact"]) == ("off", "on")
    change(gateway, "PUT", "/api/v1/switches", {"where": "exact@rest", "to": None})
    assert gateway.how(asked) == "exact"


@pytest.mark.parametrize(
    ("to", "shown"), [("on", "on"), ("off", "off"), ("25", "25 %"), ("25%", "25 %"), (12.5, "12.5 %"), (True, "on")]
)
def test_a_switch_takes_words_and_per_cent(gateway: GatewayThread, to: object, shown: str) -> None:
    said = change(gateway, "PUT", "/api/v1/switches", {"where": "semantic", "to": to})
    assert said["overrides"] == {"semantic": shown}


def test_a_new_revision_starts_an_epoch_of_that_model_alone(gateway: GatewayThread, question: Question) -> None:
    asked = question()
    gateway.ask(asked)
    gateway.ask(asked, model="gpt-4o")
    first = change(gateway, "POST", "/api/v1/revisions", {"model": "gpt-4o"})
    second = change(gateway, "POST", "/api/v1/revisions", {"model": "gpt-4o"})
    assert second["revision"] == first["revision"] + 1
    assert gateway.how(asked, model="gpt-4o") == "upstream"
    assert gateway.how(asked) == "exact"


def test_the_control_row_tells_what_was_changed(gateway: GatewayThread) -> None:
    before = gateway.get("/api/v1/control")
    said = purge(gateway, "tag", "winter")
    after = gateway.get("/api/v1/control")
    assert after["version"] == said["version"] > before["version"]
    assert after["purges"]["tag:winter"] == after["epoch"] == before["epoch"] + 1
    assert (after["confirmed"], after["workers"]) == (1, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "value"),
    [
        ("POST", "purge", {"by": "everything"}, "by", "everything"),
        ("POST", "purge", {"value": "x"}, "by", None),
        ("POST", "purge", {"by": "model"}, "value", ""),
        ("POST", "purge", {"by": "model", "value": "x" * 600}, "value", "x" * 99 + "…"),
        ("POST", "purge", {"by": "all", "value": "x"}, "value", "x"),
        ("POST", "purge", {"by": "key", "value": "abc"}, "value", "abc"),
        ("POST", "purge", {"by": "older_than", "value": "nan"}, "value", "nan"),
        ("POST", "purge", {"by": "older_than", "value": "5 fortnights"}, "value", "5 fortnights"),
        ("POST", "purge", {"by": "older_than", "value": 4e11}, "value", 4e11),
        ("POST", "purge", {"by": "tag", "value": ["a"]}, "value", "a list"),
        ("POST", "purge", {"by": "tag", "vaule": "a"}, "vaule", "a"),
        ("POST", "kill-switch", {}, "enabled", None),
        ("POST", "kill-switch", {"enabled": "no"}, "enabled", "no"),
        ("PUT", "switches", {"where": "exact"}, "to", None),
        ("PUT", "switches", {"where": "exact", "to": "120"}, "to", "120"),
        ("PUT", "switches", {"where": "exact", "to": "nan"}, "to", "nan"),
        ("PUT", "switches", {"where": "exact", "to": -1}, "to", -1),
        ("PUT", "switches", {"where": "exakt", "to": "on"}, "where", "exakt"),
        ("PUT", "switches", {"where": "exact@nowhere", "to": "on"}, "where", "exact@nowhere"),
        ("PUT", "switches", {"where": "own", "to": "on"}, "where", "own"),
        ("POST", "revisions", {"model": ""}, "model", ""),
        ("POST", "revisions", {"model": 5}, "model", 5),
        ("POST", "revisions", b"{", "body", None),
        ("POST", "revisions", b"", "body", None),
        ("POST", "revisions", b'{"model": "\xff"}', "body", None),
        ("POST", "revisions", b"[" * 50_000, "body", None),
        ("POST", "revisions", [], "body", None),
        ("POST", "purge?by=all", {"by": "all"}, "by", "all"),
    ],
)
def test_what_cannot_be_used_is_named_and_changes_nothing(
    gateway: GatewayThread, method: str, path: str, body: object, field: str, value: object
) -> None:
    before = gateway.get("/api/v1/control")
    reply = gateway.admin(method, f"/api/v1/{path}", body, {"Content-Type": "application/json"})
    error = reply.json["error"]
    assert (reply.status, error["code"], error["field"], error["value"]) == (400, "wrong_input", field, value)
    assert len(error["fix"]) > 10
    assert gateway.get("/api/v1/control") == before


def test_a_huge_body_is_refused(gateway: GatewayThread) -> None:
    reply = gateway.admin("POST", "/api/v1/purge", {"by": "tag", "value": "x" * 70_000})
    assert (reply.status, reply.json["error"]["field"]) == (413, "body")
