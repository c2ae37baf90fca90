"""The responses a provider remembers: to be read again, deleted, and gone on from by ``previous_response_id``."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec

from pennyworth.sandbox.ask import Ask, RefusedError


class _Kept(NamedTuple):
    tenant: str
    response: dict[str, Any]
    said: tuple[dict[str, Any], ...]


class Stored:
    """At most ``capacity`` responses: the oldest are forgotten first. Nobody reads another tenant's."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, tenant: str, ask: Ask, response: dict[str, Any]) -> None:
        said = ask.fields.get("input") or []
        turns = [{"role": "user", "content": said}] if isinstance(said, str) else said
        self._kept[response["id"]] = _Kept(tenant, response, (*ask.earlier, *turns, *response["output"]))
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def with_earlier(self, tenant: str, ask: Ask) -> Ask:
        """The request with what it goes on from. Instructions are not carried over, as at OpenAI."""
        name = ask.fields.get("previous_response_id")
        if not name:
            return ask
        kept = self._kept.get(name) if isinstance(name, str) else None
        if kept is None or kept.tenant != tenant:
            raise RefusedError(
                400,
                f"Previous response with id '{name}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        return msgspec.structs.replace(ask, earlier=kept.said)

    def read(self, tenant: str, name: str) -> dict[str, Any]:
        kept = self._kept.get(name)
        if kept is None or kept.tenant != tenant:
            raise RefusedError(404, f"Response with id '{name}' not found.")
        return kept.response

    def delete(self, tenant: str, name: str) -> dict[str, Any]:
        self.read(tenant, name)
        del self._kept[name]
        return {"id": name, "object": "response", "deleted": True}
