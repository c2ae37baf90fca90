"""A provider's JSON, read as loosely as the callers' SDKs read it.

Python's and JavaScript's servers can emit what strict readers refuse: NaN, Infinity, and half of a surrogate pair where
a text was cut by code units. A caller who goes direct can read that, so we do not call the reply broken; but it is not
kept, since it cannot be given again in every form.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

UNREADABLE = (ValueError, RecursionError)
"""What ``read`` raises on bytes that are no JSON at all."""

_READ = msgspec.json.Decoder().decode
_WRITE = msgspec.json.Encoder().encode


def read(data: bytes) -> Any:
    """The value.

    Raises:
        UNREADABLE: not JSON by any reading.
    """
    try:
        return _READ(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(data)


def write(value: Any) -> bytes:
    """JSON of what ``read`` read. Halves of a pair that have come together again are read as one character."""
    try:
        return _WRITE(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def mended(data: bytes) -> bytes:
    """The same as strict JSON: NaN and its like become null, a half of a pair U+FFFD.

    Raises:
        UNREADABLE: not JSON by any reading.
    """
    return _WRITE(_mend(json.loads(data)))


def _mend(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case list():
            return [_mend(item) for item in value]
        case dict():
            return {_mend(name): _mend(item) for name, item in value.items()}
    return value
