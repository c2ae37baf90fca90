"""What becomes of the virtual keys: made, rotated, revoked; and which secrets hold at a moment.

Every change maps a set of keys to a set of keys. A key once made stays in the set with its name, revoked or not, so that
a name on a receipt means one key for good. Nothing here ever holds a secret for longer than it takes to hash it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec.structs import replace

from pennyworth.clients import UNLIMITED, Allowance, KeySet, Share, VirtualKey
from pennyworth.decide.key import Keyring
from pennyworth.errors import RequestError
from pennyworth.mac import Mac

Seal = Callable[[str], str]
"""From a secret to the keyed hash it is known by: all 64 hex digits of it."""

_HINT = 4


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody wants made. ``lives_s``: 0 = until it is revoked."""

    name: str
    scope: str
    team: str = ""
    share: Share = "key"
    allowance: Allowance = UNLIMITED
    lives_s: float = 0.0


def sealer(keyring: Keyring) -> Seal:
    """The hash of this deployment. Whoever has the key book but not the deployment secret can test no guess."""
    mac = Mac(keyring.derive("client keys"))
    return lambda secret: mac(secret.encode("utf-8", "surrogatepass")).hex()


def made(wanted: Wanted, secret: str, seal: Seal, now_s: float) -> VirtualKey:
    return VirtualKey(
        name=wanted.name,
        seal=seal(secret),
        hint=secret[-_HINT:],
        created_s=now_s,
        scope=wanted.scope,
        team=wanted.team,
        share=wanted.share,
        allowance=wanted.allowance,
        expires_s=now_s + wanted.lives_s if wanted.lives_s else 0.0,
    )


def create(keys: KeySet, key: VirtualKey, taken: Collection[str]) -> KeySet:
    """With one key more. ``taken``: names of the configuration's keys. Raises ``RequestError``."""
    if key.name in keys.keys:
        past = "was revoked, and" if keys.keys[key.name].revoked_s else "exists;"
        raise _refused(409, "key_exists", f"The key {key.name!r} {past} names are used once. Choose another name.")
    if key.name in taken:
        message = f"{key.name!r} is the name of a key of the configuration. Choose another name."
        raise _refused(409, "key_exists", message)
    return replace(keys, keys=keys.keys | {key.name: key})


def rotate(keys: KeySet, name: str, secret: str, seal: Seal, now_s: float, grace_s: float) -> KeySet:
    """Another secret for a key; the last one holds for ``grace_s`` longer, any older one no more."""
    key = _found(keys, name)
    if not in_force(key, now_s):
        past = "was revoked" if key.revoked_s else "has expired"
        raise _refused(409, "key_not_in_force", f"The key {name!r} {past}. Make a new one under another name.")
    former = (key.seal, now_s + grace_s) if grace_s > 0 else ("", 0.0)
    return _with(
        keys,
        replace(key, seal=seal(secret), hint=secret[-_HINT:], former_seal=former[0], former_until_s=former[1]),
    )


def revoke(keys: KeySet, name: str, now_s: float) -> KeySet:
    """Without any secret of this key. Of a key that was revoked before, the first moment stands."""
    key = _found(keys, name)
    return _with(keys, replace(key, revoked_s=key.revoked_s or now_s, former_seal="", former_until_s=0.0))


def in_force(key: VirtualKey, now_s: float) -> bool:
    return not key.revoked_s and (not key.expires_s or now_s < key.expires_s)


def holding(key: VirtualKey, now_s: float) -> Iterator[tuple[str, float]]:
    """The hashes of the secrets that hold now, each with the time until which it does."""
    if in_force(key, now_s):
        until_s = key.expires_s or float("inf")
        yield key.seal, until_s
        if key.former_seal and now_s < key.former_until_s:
            yield key.former_seal, min(key.former_until_s, until_s)


def state_of(key: VirtualKey, now_s: float) -> str:
    """In a word, for lists."""
    if key.revoked_s:
        return "revoked"
    return "in force" if in_force(key, now_s) else "expired"


def _found(keys: KeySet, name: str) -> VirtualKey:
    key = keys.keys.get(name)
    if key is None:
        message = f"There is no virtual key named {name[:64]!r}. Those of the configuration are changed there."
        raise _refused(404, "no_such_key", message)
    return key


def _with(keys: KeySet, key: VirtualKey) -> KeySet:
    return replace(keys, keys=keys.keys | {key.name: key})


def _refused(status: int, code: str, message: str) -> RequestError:
    return RequestError(message, status=status, code=code, param="name")
