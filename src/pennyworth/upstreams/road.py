"""What failed on the road to a provider, in words that name the configuration key to look at.

No text here holds a header, a body or a library's own message: a credential could be in any of them.
"""

from __future__ import annotations

import os
import ssl
from typing import Literal

from pennyworth.errors import UpstreamError
from pennyworth.ports import Call

Broken = Literal["ended", "unseen", "malformed", "silent"]
"""How a connection failed under a call: it was ended or reset; the same, with proof that the provider has seen nothing
of the call; what it sent is not HTTP; nothing came in the time allowed."""


def connect_timed_out(call: Call) -> UpstreamError:
    provider = call.target.provider
    if not call.stream and provider.total_s < provider.connect_s:
        return broken_off("silent", call, begun=False)
    message = f"connecting timed out after {provider.connect_s:g} s ({_at(call)}.connect_timeout)"
    return UpstreamError("timeout", call.target.name, message)


def unknown_host(call: Call) -> UpstreamError:
    return UpstreamError("connect", call.target.name, f"the host of {_base_url(call)} is unknown")


def not_connected(error: OSError, call: Call) -> UpstreamError:
    match error:
        case ssl.SSLCertVerificationError():
            message = f"its TLS certificate was refused ({_base_url(call)})"
        case ssl.SSLError():
            message = f"no TLS with {_base_url(call)} (does it speak plain http?)"
        case _:
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            message = f"no connection to {_base_url(call)} ({why})"
    return UpstreamError("connect", call.target.name, message)


def broken_off(how: Broken, call: Call, *, begun: bool) -> UpstreamError:
    """``begun``: the head of the reply had come."""
    provider = call.target.provider
    match how:
        case "silent" if call.stream:
            silence = f"it timed out: nothing came for {provider.idle_s:g} s ({_at(call)}.idle_timeout)"
            return UpstreamError("timeout", call.target.name, silence)
        case "silent":
            given = min(provider.total_s, call.within_s or provider.total_s)
            late = f"it timed out after {round(given, 1 if given < 10 else 0):g} s ({_at(call)}.total_timeout)"
            return UpstreamError("timeout", call.target.name, late)
        case "malformed":
            return UpstreamError("malformed", call.target.name, f"what it sent is not HTTP ({_base_url(call)})")
    where = "broke off in the middle of the reply" if begun else "was closed before the reply"
    return UpstreamError("reset", call.target.name, f"the connection {where}")


def compressed(encoding: str, call: Call) -> UpstreamError:
    message = f"it answered in {encoding[:40].lower()!a} although identity was asked for"
    return UpstreamError("malformed", call.target.name, message)


def unsendable(call: Call) -> UpstreamError:
    """The call's own fault; it is stopped here because one line break more is a header, or a request, of somebody else's."""
    names = ", ".join(sorted({name[:40] for name, _ in call.headers}))
    message = f"not sent: one of its headers holds a line break or a character no header may have ({names!a})"
    return UpstreamError("malformed", call.target.name, message)


def _at(call: Call) -> str:
    return f"providers.{call.target.provider.name}"


def _base_url(call: Call) -> str:
    return f"{_at(call)}.base_url = {call.target.provider.base_url}"
