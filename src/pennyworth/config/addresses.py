"""Where things are on the network: hosts, base URLs, headers. Says what an address means; connects to nothing."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from pennyworth.config.kinds import Kind, list_of, read_text
from pennyworth.config.problems import UnusableError, resembles_credential, shown

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_OURS = frozenset(
    [
        *("host", "connection", "keep-alive", "upgrade", "te", "trailer"),
        *("content-length", "content-type", "transfer-encoding", "accept-encoding"),
    ]
)
_CREDENTIALS = frozenset(["authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key"])


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address: 127.0.0.0/8, ``::1`` and ``localhost``."""
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def is_wildcard(host: str) -> bool:
    return _is_ip(host) and ipaddress.ip_address(host).is_unspecified


def _host(value: object) -> str:
    if isinstance(value, str) and (_is_ip(value) or _HOST.fullmatch(value)):
        return value
    raise UnusableError(f"{shown(value)} is not a host", 'Use a name or an address without port, such as "127.0.0.1".')


def host_and_port(base_url: str) -> tuple[str, int]:
    """Of a base URL that was read before."""
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        named = parts.hostname is not None and parts.port != 0  # ``port`` raises where it is no number
    except ValueError:
        return None
    return parts if named and (_is_ip(parts.hostname or "") or _HOST.fullmatch(parts.hostname or "")) else None


def read_base_url(value: object) -> str:
    """An http(s) URL up to and with the version, without a slash at the end. Never shows user names or queries."""
    text = read_text(value)
    bare = re.split(r"[?#]", text)[0]
    if "@" in bare:
        problem = "the address (not shown) holds a user name or password"
        raise UnusableError(problem, "Leave out what stands before '@', and use key_env for the credential.")
    if bare != text:
        raise UnusableError(
            "the address (not shown) holds a query or a fragment", "Remove '?' or '#' and what follows."
        )
    parts = None if re.search(r"[\s\\]", text) else _split(text)
    if parts is None or parts.scheme not in ("http", "https"):
        raise UnusableError(f"{shown(text)} is not an http(s) address", 'Use one such as "https://api.openai.com/v1".')
    if re.search(r"/(chat/completions|responses|messages|embeddings)/?$", parts.path):
        raise UnusableError(f"{shown(text)} is the address of one call", "Stop after the version, as in …/v1.")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _header_name(value: object) -> str:
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value.lower()
    raise UnusableError(f"{shown(value)} is not the name of a header", 'Use letters, digits and "-", such as "x-team".')


def _header(name: str, value: object) -> tuple[str, str]:
    name = _header_name(name)
    if name in _CREDENTIALS:
        raise UnusableError(
            f"the header {name!r} carries a credential", "Use key_env: it is kept out of logs and messages."
        )
    if name in _OURS:
        raise UnusableError(f"the header {name!r} is set by the gateway itself", "Remove it.")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise UnusableError(f"the value of the header {name!r} is not plain text", "Use one line of printable ASCII.")
    if resembles_credential(value):
        raise UnusableError(f"the value of the header {name!r} resembles a credential", "Use key_env for credentials.")
    return name, value


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise UnusableError(f"{shown(value)} is not a table of headers", 'Use a table, as in { "x-team" = "search" }.')
    return tuple(sorted(_header(name, text) for name, text in value.items()))


def read_proxy(value: object) -> str:
    """``http://host:port`` of a proxy, or one of the words ``environment`` and ``none``. Never shows a user name."""
    text = read_text(value)
    if text in PROXY_WORDS:
        return text
    if "@" in text:
        problem = "the address (not shown) holds a user name or password"
        raise UnusableError(problem, "Leave out what stands before '@', and use proxy_env for it.")
    parts = None if re.search(r"[\s\\?#]", text) else _split(text)
    if parts is None or parts.scheme != "http" or parts.path not in ("", "/"):
        fix = 'Use one such as "http://proxy.internal:3128". The way to the proxy is plain http; TLS goes through it.'
        raise UnusableError(f"{shown(text)} is not the address of an HTTP proxy", fix)
    return f"http://{parts.netloc.lower()}"


PROXY_WORDS = ("environment", "none")

HOST = Kind("host", _host)
PROXY = Kind('http URL, "environment" or "none"', read_proxy)
BASE_URL = Kind("http(s) URL", read_base_url)
HEADERS = Kind("table of headers", _headers, show=lambda headers: ", ".join(name for name, _ in headers) or "none")
HEADER_NAMES = Kind("list of header names", list_of(_header_name), show=lambda names: ", ".join(names) or "none")
