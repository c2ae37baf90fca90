"""The digest of a Plan: which configuration a receipt was made under. It depends on no secret, so keys may rotate."""

from __future__ import annotations

import hashlib

import msgspec

from pennyworth.plan import Plan
from pennyworth.secret import Secret


def with_digest(plan: Plan) -> Plan:
    """The Plan with its digest: twelve hex digits of the SHA-256 of everything else in it but the secrets."""
    return msgspec.structs.replace(plan, digest=_digest(plan))


def _digest(plan: Plan) -> str:
    bare = msgspec.structs.replace(plan, digest="")
    text = msgspec.json.encode(bare, enc_hook=_without_secret, order="sorted")
    return hashlib.sha256(text).hexdigest()[:12]


def _without_secret(value: object) -> str:
    if isinstance(value, Secret):
        return ""
    raise TypeError(f"no rule for {type(value)} in a Plan's digest")
