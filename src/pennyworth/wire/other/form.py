"""The one field of an upload that is looked at: which model it names (RFC 7578). Everything else passes by unread."""

from __future__ import annotations

import itertools
import re

from pennyworth.errors import RequestError

_BOUNDARY = re.compile(r"""boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_NAMED = re.compile(rb"""(?i)^content-disposition:[^\r\n]*;[ \t]*name="?model"?[ \t]*(?:;|\r?$)""", re.MULTILINE)
_FILE = re.compile(rb"""(?i)^content-disposition:[^\r\n]*;[ \t]*filename""", re.MULTILINE)
_BEHIND = (b"\r", b"\n", b"-", b" ", b"\t", b"")
"""What may stand behind a boundary: any other byte belongs to a value that begins like one."""
_LONGEST_HEAD = 4096
_LONGEST_MODEL = 256


def model_of(body: bytes, content_type: str) -> str:
    """The value of the field ``model``, "" if there is none.

    Raises:
        RequestError: two of them, so that it cannot be told which one the provider reads.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        return ""
    mark = b"--" + (found[1] or found[2]).encode()
    models = [value for part in _parts(body, mark) if (value := _model(part)) is not None]
    if len(set(models)) > 1:
        raise RequestError("The form names two models. Send one.", code="invalid_value", param="model")
    return models[0] if models else ""


def _parts(body: bytes, mark: bytes) -> list[memoryview]:
    """Without copying any: a part may be a file of many megabytes."""
    view, edges, at = memoryview(body), [], body.find(mark)
    while at >= 0:
        if body[at + len(mark) : at + len(mark) + 1] in _BEHIND:
            edges.append(at)
        at = body.find(b"\n" + mark, at + len(mark))
        at = at + 1 if at >= 0 else at
    return [view[start + len(mark) : end] for start, end in itertools.pairwise(edges)]


def _model(part: memoryview) -> str | None:
    start = bytes(part[: _LONGEST_HEAD + _LONGEST_MODEL])
    head, blank, rest = start.partition(b"\r\n\r\n")
    if not blank or not _NAMED.search(head) or _FILE.search(head):
        return None
    value = rest.removesuffix(b"\r\n")
    if len(value) > _LONGEST_MODEL or len(part) > len(start):
        return None
    model = value.decode("utf-8", "replace").strip()
    return model if model.isprintable() else None
