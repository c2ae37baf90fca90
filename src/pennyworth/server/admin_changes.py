"""The routes that change something while it runs: purges, the kill switch, switches, revisions.

Each changes the control row that all workers share, and answers when they go by it, or says how many do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pennyworth.config.amounts import POSITIVE_DURATION, show_switch
from pennyworth.config.problems import UnusableError
from pennyworth.decide import invalidate, switches
from pennyworth.errors import RequestError
from pennyworth.plan import Switch
from pennyworth.server.admin_desk import Applied, Desk
from pennyworth.server.admin_json import WrongInputError, reply
from pennyworth.server.admin_query import Query, read_body
from pennyworth.view import Control, Select

_PURGE = '{"by": "all|key|model|tag|scope|older_than", "value": "…"}, as in {"by": "model", "value": "gpt-4o"}'
_ENABLED = '{"enabled": false}, or true'
_SWITCH = '{"where": "exact", "to": "off"}; "to" takes on, off, per cent, or null for what the configuration says'
_REVISION = '{"model": "gpt-4o"}'


class _Purge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    by: Select
    value: str | int | float = ""


class _Enabled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool


class _Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    where: str
    to: str | int | float | bool | None


class _Revision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str


class Changes:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def purge(self, request: Request) -> Response:
        Query(request)
        asked = await read_body(request, _Purge, _PURGE)
        now_s = self._desk.clock.wall_s()
        value = _moment(asked.value, now_s) if asked.by == "older_than" else str(asked.value)
        with _blaming("value", asked.value):
            applied = await self._desk.change(lambda control: invalidate.purge(control, asked.by, value, now_s))
        return _answer(applied, {"purged": {"by": asked.by, "value": value}, "epoch": applied.row.epoch})

    async def kill_switch(self, request: Request) -> Response:
        Query(request)
        asked = await read_body(request, _Enabled, _ENABLED)
        applied = await self._desk.change(invalidate.enable if asked.enabled else invalidate.disable)
        answer: dict[str, object] = {"enabled": applied.row.enabled and self._desk.plan.enabled}
        if applied.row.enabled and not self._desk.plan.enabled:
            answer["why"] = "The configuration says enabled = false (PENNYWORTH_ENABLED). Change it there and reload."
        return _answer(applied, answer)

    async def switch(self, request: Request) -> Response:
        Query(request)
        asked = await read_body(request, _Switch, _SWITCH)
        switch = _switch(asked.to)
        routes = [route.name for route in self._desk.plan.routes]
        with _blaming("where", asked.where):
            applied = await self._desk.change(
                lambda control: invalidate.set_switch(control, asked.where, switch, routes)
            )
        overrides = {where: show_switch(override) for where, override in applied.row.switches.items()}
        return _answer(applied, {"overrides": overrides})

    async def revision(self, request: Request) -> Response:
        Query(request)
        asked = await read_body(request, _Revision, _REVISION)
        with _blaming("model", asked.model):
            applied = await self._desk.change(lambda control: invalidate.bump_revision(control, asked.model))
        return _answer(applied, {"model": asked.model, "revision": applied.row.revisions[asked.model]})


def _answer(applied: Applied[Control], said: dict[str, object]) -> Response:
    """200 when every worker goes by it, 202 when one has not said so within a second."""
    confirmation = {"version": applied.row.version, "confirmed": applied.confirmed, "workers": applied.workers}
    return reply({**said, **confirmation}, 200 if applied.everywhere else 202)


def _moment(value: str | float, now_s: float) -> str:
    """A Unix time as it is; a duration with its unit (``24h``) is so long ago."""
    text = str(value).strip()
    if not re.fullmatch(r"[0-9.]+\s*[A-Za-z]+", text):
        return text
    try:
        return repr(now_s - float(POSITIVE_DURATION.read(text)))
    except UnusableError as error:
        raise WrongInputError("value", value, error.problem, error.fix) from error


def _switch(to: str | float | bool | None) -> Switch | None:
    if to is None:
        return None
    switch = switches.switch_from(str(to))
    if switch is None:
        raise WrongInputError("to", to, "it is no switch", f"Send {_SWITCH}.")
    return switch


@contextlib.contextmanager
def _blaming(field: str, value: object) -> Iterator[None]:
    """A refused selector is an error of this field."""
    try:
        yield
    except WrongInputError:
        raise
    except RequestError as error:
        problem, _, fix = error.message.rstrip(".").partition(": ")
        raise WrongInputError(field, value, problem, f"{fix[:1].upper()}{fix[1:]}.") from error
