"""The admin port of a running gateway, as commands ask it: where it is, with which key, and what an error there means."""

from __future__ import annotations

import contextlib
import http.client
import os
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from cyclopts import Parameter

from pennyworth.cli.exits import CommandError, not_there, wrong_usage
from pennyworth.config.addresses import is_wildcard
from pennyworth.config.load import legible
from pennyworth.config.problems import ConfigErrors
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan

AdminUrl = Annotated[
    str | None,
    Parameter(
        name="--admin", help="URL of the admin port; else where the configuration puts it, with the key it names."
    ),
]
_WAIT_S = 60.0


def post(config: str | None, url: str | None, path: str) -> tuple[int, Any]:
    """Status and JSON of a call that changes something.

    Raises:
        ConfigErrors: a configuration it refuses. CommandError: it is not there, or wants another key.
    """
    # The file may be what is wrong, and the gateway is to say so: what can be read of it is enough to find the port.
    plan = legible(config, os.environ)
    at = url or _url(plan)
    status, said = _call(at, path, plan.admin_key.reveal())
    if status < 400:
        return status, said
    error = said.get("error", {})
    if error.get("problems"):
        raise ConfigErrors([ConfigError(**each) for each in error["problems"]])
    fix = "Set PENNYWORTH_ADMIN_KEY to its key." if status == 401 else ""
    raise CommandError(error.get("message") or f"The admin port at {at} answers {status}.", fix)


def _url(plan: Plan) -> str:
    host, port = plan.listen.admin_host, plan.listen.admin_port
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    if not port:
        raise wrong_usage("The configuration lets the admin port be any (0).", "Name it: --admin http://127.0.0.1:PORT")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _call(url: str, path: str, key: str) -> tuple[int, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise wrong_usage(f"--admin: {url[:60]!r} is no URL.", "Use one such as http://127.0.0.1:8081")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with contextlib.closing(kind(parts.netloc, timeout=_WAIT_S)) as connection:
            connection.request("POST", parts.path.rstrip("/") + path, b"{}", headers)
            reply = connection.getresponse()
            return reply.status, msgspec.json.decode(reply.read() or b"{}")
    except OSError as error:
        problem = f"No gateway answers at {url} ({error.strerror or error})."
        raise not_there(problem, "Is it running? --admin URL names its admin port.") from error
    except (http.client.HTTPException, ValueError) as error:
        raise not_there(f"What answers at {url} is no admin port.", "--admin URL names the right one.") from error
