"""The routes for virtual keys: made, listed, rotated, revoked. A secret is in the one answer that made it, nowhere else."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pennyworth.clients import KeySet
from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.problems import UnusableError
from pennyworth.config.virtual import taken, wanted
from pennyworth.decide import keys
from pennyworth.errors import ConfigError
from pennyworth.server.admin_desk import Applied, Desk
from pennyworth.server.admin_json import WrongInputError, reply
from pennyworth.server.admin_query import Query, read_body
from pennyworth.server.key_rows import row
from pennyworth.state_dir import new_client_key

_CREATE = '{"name": "alice"}, with what else [keys.NAME] of the configuration takes, and "expires": "30d"'
_ROTATE = '{"grace": "24h"}, or {}'
_REVOKE = "{}"


class _Rotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    grace: str | int | float = 0


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Keys:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: Request) -> Response:
        """One route for both, so that a wrong method is told of both."""
        return await (self.create(request) if request.method == "POST" else self.list(request))

    async def create(self, request: Request) -> Response:
        Query(request)
        asked = await read_body(request, dict[str, object], _CREATE)
        now_s, secret = self._desk.clock.wall_s(), new_client_key()
        try:
            key = keys.made(wanted(asked, self._desk.plan), secret, self._desk.seal, now_s)
        except ConfigError as error:
            raise WrongInputError(error.key, asked.get(error.key), error.problem, error.fix) from error
        names = taken(self._desk.plan)
        applied = await self._desk.change_keys(lambda row: keys.create(row, key, names))
        return self._answer(applied, key.name, secret)

    async def list(self, request: Request) -> Response:
        Query(request)
        now_s = self._desk.clock.wall_s()
        applied = await self._desk.keys()
        found = [row(key, now_s) for _, key in sorted(applied.row.keys.items())]
        return reply({"keys": found, **_confirmation(applied)})

    async def rotate(self, request: Request) -> Response:
        Query(request)
        name, asked = request.path_params["name"], await read_body(request, _Rotate, _ROTATE)
        now_s, grace_s, secret = self._desk.clock.wall_s(), _grace(asked.grace), new_client_key()
        seal = self._desk.seal
        applied = await self._desk.change_keys(lambda row: keys.rotate(row, name, secret, seal, now_s, grace_s))
        return self._answer(applied, name, secret)

    async def revoke(self, request: Request) -> Response:
        Query(request)
        await read_body(request, _Nothing, _REVOKE)
        name, now_s = request.path_params["name"], self._desk.clock.wall_s()
        applied = await self._desk.change_keys(lambda row: keys.revoke(row, name, now_s))
        return self._answer(applied, name)

    def _answer(self, applied: Applied[KeySet], name: str, secret: str = "") -> Response:
        """200 when every worker goes by it, 202 when one has not said so within a second."""
        shown = row(applied.row.keys[name], self._desk.clock.wall_s())
        once = {"secret": secret} if secret else {}
        return reply({**once, **shown, **_confirmation(applied)}, 200 if applied.everywhere else 202)


def _confirmation(applied: Applied[KeySet]) -> dict[str, object]:
    return {"version": applied.row.version, "confirmed": applied.confirmed, "workers": applied.workers}


def _grace(grace: str | float) -> float:
    if grace in (0, "0", ""):
        return 0.0
    try:
        return float(POSITIVE_DURATION.read(grace))
    except UnusableError as error:
        raise WrongInputError("grace", grace, error.problem, error.fix) from error
