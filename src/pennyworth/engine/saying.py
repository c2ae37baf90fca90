"""A request in the words of the target that is to be asked."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pennyworth.decide.key import without_names
from pennyworth.decide.spoken import spoken
from pennyworth.errors import RequestError
from pennyworth.plan import Route, Target
from pennyworth.request import Request
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.translate import request_into

UNSAYABLE = ("cannot_translate", "unsupported_dialect")
"""Codes of ``say``'s errors."""


class Saying(NamedTuple):
    """``request``: as it is sent, in the dialect it names. ``dropped``: the fields that had no words there."""

    request: Request
    dropped: tuple[str, ...] = ()


def say(request: Request, target: Target, route: Route, *, nameless: bool = False) -> Saying:
    """``nameless``: without what a reply of another dialect would say of its caller to whoever shares it.

    Raises ``RequestError``: 400, it cannot be said in any dialect the target speaks.
    """
    into = spoken(target.provider, request.dialect)
    if into == request.dialect:
        return Saying(request)
    if into is None:
        raise RequestError(
            f"{target.name} cannot be asked at /v1{CODECS[request.dialect].PATH}: its provider speaks "
            f"{', '.join(target.provider.dialects)}. Ask another model, or let the operator add "
            f'"{request.dialect}" to providers.{target.provider.name}.dialects, if it is so.',
            code="unsupported_dialect",
            param="model",
        )
    if nameless and into == "responses":
        request = msgspec.structs.replace(request, fields=without_names(request.fields))
    return Saying(*request_into(request, into, route.drop))
