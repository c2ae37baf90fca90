"""Who is asking? Turns a request's credential into a ``Caller``, or refuses it.

Fails closed: a door with keys lets nobody in without one. A key is looked up by its keyed hash, of which a stranger can
compute nothing, so that neither a near miss nor its time says anything about the keys there are.
"""

from __future__ import annotations

import hashlib
import secrets

from cachebox import LRUCache

from pennyworth.decide.key import Keyring
from pennyworth.decide.keys import sealer
from pennyworth.errors import RequestError
from pennyworth.plan import Plan
from pennyworth.request import Caller
from pennyworth.view import Tenants

_ANONYMOUS = Caller("local")


class Gatekeeper:
    """Made for one Plan and one set of tenants, and dropped with them. Remembers the callers it has let in, by the
    keyed hash of all that they showed."""

    def __init__(self, plan: Plan, tenants: Tenants, keyring: Keyring) -> None:
        self._keyring = keyring
        self._seal = sealer(keyring)
        self._callers = tenants.callers
        self._locked = tenants.locked
        self._anonymous = plan.allow_anonymous
        self._forwards = not tenants.locked and any(provider.forward_caller for provider in plan.providers)
        self._salt = secrets.token_bytes(32)
        self._known: LRUCache[bytes, Caller] = LRUCache(10_000)

    def admit(self, authorization: str, api_key: str = "") -> Caller:
        """The caller who shows this ``Authorization`` (or ``x-api-key``).

        Raises:
            RequestError: 401, no key of ours.
        """
        if not (authorization or api_key) and self._anonymous and not self._locked:
            return _ANONYMOUS
        shown = self._digest(authorization, api_key)
        known = self._known.get(shown)
        if known is None:
            known = self._recognise(authorization, api_key)
            self._known.insert(shown, known)
        return known

    def _digest(self, authorization: str, api_key: str) -> bytes:
        """Of both: a proxy may give every request one ``Authorization``, and who asks is then in the other."""
        # No header value holds a line break, so the two cannot be cut in another place.
        shown = f"{authorization}\n{api_key}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(shown, key=self._salt, digest_size=16).digest()

    def _recognise(self, authorization: str, api_key: str) -> Caller:
        if self._locked:
            return self._by_key(_bearer(authorization) or api_key)
        if self._forwards and authorization:
            return Caller("credential:" + self._keyring.pseudonym("credential", authorization), authorization)
        if self._forwards and api_key:
            scope = "credential:" + self._keyring.pseudonym("credential", f"x-api-key: {api_key}")
            return Caller(scope, api_key, shows="x-api-key")
        if self._anonymous:
            return _ANONYMOUS
        if self._forwards:
            message = (
                "This gateway sends each caller's own provider key on. Send yours as 'Authorization: Bearer …', or as "
                "x-api-key."
            )
        else:
            message = (
                "This gateway has no client key configured and so serves nobody. "
                "Its operator makes one (pennyworth keys create), sets PENNYWORTH_KEY, or allow_anonymous = true."
            )
        raise RequestError(message, status=401, code="no_keys")

    def _by_key(self, key: str) -> Caller:
        caller = self._callers.get(self._seal(key)) if key else None
        if caller is None:
            raise RequestError(
                f"{_unknown(key)} Send one of this gateway's own keys as 'Authorization: Bearer …'; "
                f"provider keys are kept here, not sent by callers.",
                status=401,
                code="invalid_api_key",
            )
        return caller


def _bearer(authorization: str) -> str:
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _unknown(key: str) -> str:
    if not key:
        return "No key came."
    if key.lower().startswith("bearer "):
        return "The word 'Bearer' stands there twice."
    return f"The key ending in …{key[-4:]} is not known here." if len(key) >= 12 else "That key is not known here."
