"""Reads a multipart/form-data body (RFC 7578), as far as an upload needs it."""

from __future__ import annotations

import re

from pennyworth.sandbox.ask import RefusedError

_BOUNDARY = re.compile(r'boundary="?([^";]{1,200})"?')
_PARAMETER = re.compile(r'(?:^|[;\s])(name|filename)="([^"]*)"')


def parts_of(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """File name and content by the name of each part. Raises ``RefusedError``."""
    found = _BOUNDARY.search(content_type) if content_type.startswith("multipart/form-data") else None
    if found is None:
        raise RefusedError(400, "The body must be multipart/form-data with a boundary.")
    mark = b"\r\n--" + found[1].encode("latin-1")
    parts: dict[str, tuple[str, bytes]] = {}
    for part in (b"\r\n" + body).split(mark)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and not part.startswith(b"--"):
            told = dict(_PARAMETER.findall(head.decode("utf-8", "replace")))
            parts[told.get("name", "")] = (told.get("filename", ""), content)
    return parts
