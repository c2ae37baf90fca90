"""What failed on the road to a provider, in words that name the configuration key to look at.

No text here holds a header, a body or a library's own message: a credential could be in any of them.
"""

from __future__ import annotations

import os
import ssl
from typing import Literal

from pennyworth.errors import UpstreamError
from pennyworth.ports import Call

Broken = Literal["ended", "unseen", "malformed", "silent", "uncertified"]
"""How a connection failed under a call: it was ended or reset; the same, with proof that the provider has seen nothing
of the call; what it sent is not HTTP; nothing came in the time allowed; our certificate was missing or not accepted."""


class ProxyError(Exception):
    """The proxy could not be reached, or did not let us through: how, in words."""


class CertificateFileError(Exception):
    """A file named by the configuration cannot be used: its key, its name, and why."""

    def __init__(self, key: str, name: str, why: str) -> None:
        super().__init__(f"{key} = {name}: {why}")
        self.key = key
        self.name = name
        self.why = why


def wants_certificate(error: BaseException | None) -> bool:
    """Whether TLS ended because of our certificate. Under TLS 1.3 that is only told after the handshake (RFC 8446 §4.4.2)."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return bool(reason) and "_ALERT_" in str(reason) and any(word in str(reason) for word in ("CERT", "UNKNOWN_CA"))


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
        case _ if wants_certificate(error):
            message = _uncertified(call)
        case ssl.SSLError() if "HANDSHAKE_FAILURE" in str(error.reason):
            message = f"it broke off the TLS handshake: it may ask for a client certificate ({_at(call)}.client_cert)"
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
        case "uncertified" if not begun:
            return UpstreamError("connect", call.target.name, _uncertified(call))
    where = "broke off in the middle of the reply" if begun else "was closed before the reply"
    return UpstreamError("reset", call.target.name, f"the connection {where}")


def unknown_to_proxy() -> ProxyError:
    return ProxyError("asks for other credentials (407): check proxy_env")


def barred(error: ProxyError, call: Call) -> UpstreamError:
    """The proxy is the matter, not the provider."""
    message = f"the proxy {error} ({_at(call)}.proxy = {call.target.provider.road.proxy})"
    return UpstreamError("connect", call.target.name, message)


def no_certificate(error: CertificateFileError, call: Call) -> UpstreamError:
    message = f"no TLS: {error.name} {error.why} ({_at(call)}.{error.key})"
    return UpstreamError("connect", call.target.name, message)


def compressed(encoding: str, call: Call) -> UpstreamError:
    message = f"it answered in {encoding[:40].lower()!a} although identity was asked for"
    return UpstreamError("malformed", call.target.name, message)


def unsendable(call: Call) -> UpstreamError:
    """The call's own fault; it is stopped here because one line break more is a header, or a request, of somebody else's."""
    names = ", ".join(sorted({name[:40] for name, _ in call.headers}))
    message = f"not sent: one of its headers holds a line break or a character no header may have ({names!a})"
    return UpstreamError("malformed", call.target.name, message)


def _uncertified(call: Call) -> str:
    ours = call.target.provider.road.client_cert
    what = f"it does not accept our certificate {ours}" if ours else "it asks for a client certificate and we have none"
    return f"{what} ({_at(call)}.client_cert)"


def _at(call: Call) -> str:
    return f"providers.{call.target.provider.name}"


def _base_url(call: Call) -> str:
    return f"{_at(call)}.base_url = {call.target.provider.base_url}"
