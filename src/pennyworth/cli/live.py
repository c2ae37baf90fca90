"""Does each provider answer, and take our key? Asked by ``GET /models``, which costs nothing; said in words."""

from __future__ import annotations

import asyncio
import os
import ssl

import aiohttp
import msgspec

from pennyworth.config import Finding
from pennyworth.config.problems import dotted
from pennyworth.plan import Plan, Provider
from pennyworth.request import Caller
from pennyworth.upstreams import tls
from pennyworth.upstreams.road import CertificateFileError
from pennyworth.wire.shown_key import shown_key

_WAIT_S = 15.0
_MOST_BYTES = 8 * 2**20


async def ask_all(plan: Plan) -> list[Finding]:
    """One finding for each provider, in their order."""
    timeout = aiohttp.ClientTimeout(total=_WAIT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        return await asyncio.gather(*(_ask(session, provider, plan) for provider in plan.providers))


async def _ask(session: aiohttp.ClientSession, provider: Provider, plan: Plan) -> Finding:
    headers = dict(provider.headers)
    if (key := shown_key(provider, Caller(""))) is not None:
        headers[key[0]] = key[1]
    road, url = provider.road, provider.base_url + "/models"
    user, _, password = road.proxy_key.reveal().partition(":")
    login = aiohttp.BasicAuth(user, password) if road.proxy_key else None
    try:
        secure = tls.context(road) if url.startswith("https:") else True
        async with session.get(
            url, headers=headers, allow_redirects=False, proxy=road.proxy or None, proxy_auth=login, ssl=secure
        ) as reply:
            return _heard(provider, plan, reply.status, await _body(reply))
    except CertificateFileError as error:
        return _unusable(provider, error)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _road(provider, error)


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """As much of it as a list of models may be long."""
    body = bytearray()
    while len(body) < _MOST_BYTES and (part := await reply.content.readany()):
        body += part
    return bytes(body)


def _heard(provider: Provider, plan: Plan, status: int, body: bytes) -> Finding:
    """What a reply means."""
    at = dotted("providers", provider.name)
    if status in (401, 403) and provider.forward_caller:
        return Finding("ok", at, "answers; each caller needs a key of its own there")
    if status in (401, 403):
        return Finding("error", f"{at}.key_env", _refused(provider, status), _right_key(provider))
    if status == 429:
        return Finding("ok", at, "answers, and asks to be asked more slowly (429)")
    if status == 404:
        message = f"{provider.base_url}/models does not exist (404)"
        return Finding("warning", f"{at}.base_url", message, "Is the version missing at its end, as in …/v1?")
    if 300 <= status < 400:
        message = f"{provider.base_url} sends us elsewhere ({status}), and redirects are not followed"
        return Finding("error", f"{at}.base_url", message, "Name the address it leads to.")
    if status != 200:
        return Finding("error", at, f"answers {status}", "Look at the provider's status page, and try again.")
    return _offered(provider, plan, body)


def _refused(provider: Provider, status: int) -> str:
    if not provider.credential:
        return f"it wants a key ({status}), and has none ({provider.key_source or 'no source is configured'})"
    return f"it refuses the key of {provider.key_source or 'the configuration'} ({status})"


def _right_key(provider: Provider) -> str:
    if not provider.credential:
        return "Name the variable that holds it by key_env, and set it."
    return "A wrong or revoked key, one that begins with 'Bearer ', or one of another company than base_url's."


def _offered(provider: Provider, plan: Plan, body: bytes) -> Finding:
    """Whether the list of models has those that the configuration names."""
    at = dotted("providers", provider.name)
    try:
        offered = {str(model["id"]) for model in msgspec.json.decode(body)["data"]}
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        message = f"{provider.base_url}/models answers, but not with a list of models"
        return Finding("warning", f"{at}.base_url", message, "Is this the address of the API, and not of a web page?")
    named = {spec.upstream_name or name: name for name, spec in plan.models.items() if spec.provider == provider.name}
    if missing := sorted(named[name] for name in named if name not in offered):
        message = f"it does not list {', '.join(missing)}"
        return Finding("warning", dotted("models", missing[0]), message, _UNLISTED)
    how = "takes the key" if provider.credential else "wants no key"
    return Finding("ok", at, f"answers, {how}, and offers {len(offered)} models")


_UNLISTED = (
    "Is the name right? Some models are not listed; vLLM lists a LoRA adapter once it is loaded (--lora-modules)."
)


def _unusable(provider: Provider, error: CertificateFileError) -> Finding:
    at = f"{dotted('providers', provider.name)}.{error.key}"
    return Finding("error", at, f"{error.name} {error.why}", "Name a PEM file; see docs/providers.md.")


def _road(provider: Provider, error: Exception) -> Finding:
    """Why no reply came."""
    at = f"{dotted('providers', provider.name)}.base_url"
    where = provider.base_url
    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            refused = f"answers {error.status}" if isinstance(error, aiohttp.ClientHttpProxyError) else "is not reached"
            message = f"the proxy {provider.road.proxy} {refused}"
            return Finding("error", at.replace(".base_url", ".proxy"), message, "Check proxy and proxy_env.")
        case aiohttp.ClientConnectorDNSError():
            return Finding(
                "error", at, f"no machine is called {error.host} (DNS)", "Is it spelt right? Is there a network?"
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Finding("error", at, f"no secure connection to {where}: {_tls(error)}", _tls_fix(where))
        case TimeoutError():
            message = f"{where} did not answer within {_WAIT_S:g} s"
            return Finding("error", at, message, "Is a firewall in between? A proxy on the way is named by proxy.")
        case aiohttp.ClientConnectorError():
            message = f"no connection to {where}: {_reason(error.os_error)}"
            return Finding("error", at, message, "Is the server running, and the port right?")
        case _:
            message = f"what {where} sends is not HTTP ({type(error).__name__})"
            return Finding("error", at, message, "Is it https where it says http, or the other way round?")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _tls(error: aiohttp.ClientConnectorError) -> str:
    inner = getattr(error, "certificate_error", None) or error.os_error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    return getattr(inner, "reason", "") or str(inner)


def _tls_fix(where: str) -> str:
    if "://localhost" in where or "://127." in where:
        return "A server on this machine usually speaks http://."
    return "Is the clock right, and is the host the one the certificate was made for? ca_file names an authority of your own."
