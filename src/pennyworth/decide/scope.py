"""Who may share an answer? The scope of a key, and what of a request narrows it further.

A scope is a text, and no two kinds of it can ever be the same text: a team named like a key shares nothing with it. The
named scopes of the configuration stand as they are written, all others begin with their kind and a colon; a named scope
that begins so itself is written ``scope:NAME``. An end user stands in it as a keyed hash only.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from pennyworth.clients import Share
from pennyworth.mac import Mac
from pennyworth.request import Caller, Request

CONVERSATION_HEADER = "x-pennyworth-conversation"

_KINDS = ("scope:", "global:", "team:", "key:", "user:", "conversation:", "credential:")
_HASH_DIGITS = 32


def caller_of(client: str, team: str, share: Share, scope: str) -> Caller:
    """Who shows the key ``client``. Names of keys and teams hold no colon. ``scope``: its named one."""
    match share:
        case "scope":
            return Caller(f"scope:{scope}" if scope.startswith(_KINDS) else scope, client=client, team=team)
        case "global":
            return Caller("global:", client=client, team=team)
        case "team":
            return Caller(f"team:{team}", client=client, team=team)
        case "key":
            return Caller(f"key:{client}", client=client, team=team)
        case "user" | "conversation":
            return Caller(f"key:{client}", client=client, team=team, narrow=share)


def narrowed(request: Request, headers: Mapping[str, str], seal: Mac) -> Request:
    """The request in the scope of its end user or conversation, where its key shares no further.

    One that names none is answered, but neither from kept answers nor to be kept: whose they would be, nobody can say.
    """
    caller = request.caller
    conversation = headers.get(CONVERSATION_HEADER, "")
    named = request.end_user if caller.narrow == "user" else conversation
    if not named:
        return replace(request, unkeyed=request.unkeyed or _NAMELESS[caller.narrow])
    # A conversation is somebody's: two end users who both call theirs "1" have two.
    whole = f"{len(request.end_user)}:{request.end_user}:{conversation if caller.narrow == 'conversation' else ''}"
    digits = seal(whole.encode("utf-8", "surrogatepass")).hex()[:_HASH_DIGITS]
    return replace(request, caller=replace(caller, scope=f"{caller.narrow}:{caller.client}:{digits}"))


_NAMELESS = {
    "user": "its key shares answers within one end user, and neither user nor x-pennyworth-user names one",
    "conversation": f"its key shares answers within one conversation, and no {CONVERSATION_HEADER} names one",
}
