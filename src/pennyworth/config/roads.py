"""How each provider is reached: the proxy and the certificates that its table names, or that the environment does."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from pennyworth.config.addresses import PROXY, host_and_port
from pennyworth.config.problems import UnusableError
from pennyworth.config.reading import Reading
from pennyworth.plan import Road
from pennyworth.secret import Secret

_WITH_PORT = re.compile(r"([^:]+|\[.+\]):([0-9]{1,5})")


def road(reading: Reading, at: str, given: dict[str, Any], base_url: str) -> Road:
    """Takes its keys out of what was given. Explicit beats implicit: without ``proxy`` the environment's is not used."""
    proxy, variable = given.pop("proxy", "none"), given.pop("proxy_env", "")
    files = {key: given.pop(key, "") for key in ("ca_file", "client_cert", "client_key")}
    _refuse_without_use(reading, at, proxy, variable, files, base_url)
    address, key = _proxy(reading, proxy, base_url)
    if variable:
        key = _credentials(reading, variable)
    return Road(proxy=address, proxy_key=key, **files)


def _refuse_without_use(
    reading: Reading, at: str, proxy: str, variable: str, files: dict[str, str], base_url: str
) -> None:
    if variable and proxy == "none":
        reading.wrong(f"{at}.proxy_env", "there is no proxy to show it to", "Name the proxy, or remove this.")
    if files["client_key"] and not files["client_cert"]:
        fix = "Name the certificate as well: client_cert."
        reading.wrong(f"{at}.client_key", "there is no certificate that it belongs to", fix)
    for key, name in files.items():
        if name and not base_url.startswith("https:"):
            fix = f"Remove it, or begin {at}.base_url with https."
            reading.wrong(f"{at}.{key}", "it has no effect on a plain http address", fix)


def _proxy(reading: Reading, proxy: str, base_url: str) -> tuple[str, Secret]:
    if proxy == "none":
        return "", Secret("")
    return (proxy, Secret("")) if proxy != "environment" else _of_environment(reading, base_url)


def _of_environment(reading: Reading, base_url: str) -> tuple[str, Secret]:
    """What curl and most SDKs do with these variables. Credentials in the address are taken out of it."""
    scheme = urlsplit(base_url).scheme
    if _excepted(_first(reading, "no_proxy")[1], base_url):
        return "", Secret("")
    name, text = _first(reading, f"{scheme}_proxy", "all_proxy")
    if not text:
        return "", Secret("")
    before, at_sign, after = text.rpartition("@")
    bare = f"{before.partition('://')[0]}://{after}" if at_sign else text
    try:
        address = PROXY.read(bare if "://" in bare else f"http://{bare}")
    except UnusableError as refusal:
        reading.wrong(name, refusal.problem, refusal.fix)
        return "", Secret("")
    return address, Secret(unquote(before.partition("://")[2] or before) if at_sign else "")


def _first(reading: Reading, *names: str) -> tuple[str, str]:
    """Lower case first, as curl has it: a CGI server could set ``HTTP_PROXY`` from a request's header."""
    spelt = [form for name in names for form in (name, name.upper())]
    return next(((form, text) for form in spelt if (text := reading.variable(form))), ("", ""))


def _excepted(no_proxy: str, base_url: str) -> bool:
    host, port = host_and_port(base_url)
    rules = (rule.strip().lower() for rule in no_proxy.split(","))
    return any(_matches(rule, host.lower(), port) for rule in rules if rule)


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    if "/" in rule:
        return _within(rule, host)
    found = _WITH_PORT.fullmatch(rule)
    if found:
        rule = found[1]
        if int(found[2]) != port:
            return False
    rule = rule.strip("[]").lstrip("*").lstrip(".")
    return host == rule or host.endswith(f".{rule}")


def _within(network: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _credentials(reading: Reading, variable: str) -> Secret:
    text = reading.variable(variable)
    if ":" in text and text.isprintable():
        return Secret(text)
    problem = "it is not set" if not text else "its value (not shown) is not of the form user:password"
    reading.wrong(variable, problem, "Set it to the user name and the password for the proxy, with a colon between.")
    return Secret("")
