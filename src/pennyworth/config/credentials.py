"""Credentials from the file or the environment: read, checked for the usual mistakes, and never shown."""

from __future__ import annotations

import re

from pennyworth.config.kinds import Kind
from pennyworth.config.problems import UnusableError
from pennyworth.secret import Secret


def _variable(value: object) -> str:
    # Capitals only, and the value never shown: people paste the key itself here, and some keys look like identifiers.
    if isinstance(value, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", value):
        return value
    raise UnusableError(
        "the value (not shown) is not the name of an environment variable",
        'Use a name in capitals such as "OPENAI_API_KEY", and put the key itself into that variable.',
    )


def _secret(value: object) -> Secret:
    if not isinstance(value, str) or not value.strip():
        raise UnusableError("the value (not shown) is not a key", "Put the key in quotes, or leave it out.")
    text = value.strip()  # `$(cat key.txt)` and copied lines bring a line break
    if re.match(r"(?i)bearer\b", text):
        raise UnusableError(
            "the value (not shown) begins with 'Bearer'", "Give the key alone; the gateway adds the word."
        )
    if not text.isascii() or not text.isprintable() or " " in text:
        problem = "the value (not shown) holds a space or a character that no header can carry"
        raise UnusableError(problem, "Copy the key again, without quotes and line breaks.")
    return Secret(text)


VARIABLE = Kind("environment variable", _variable)
SECRET = Kind("key", _secret, show=lambda secret: "set" if secret else "not set")
