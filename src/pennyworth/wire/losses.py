"""What a translation cannot carry: refused by its name, or left out and noted where the operator allows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pennyworth.errors import RequestError
from pennyworth.request import Dialect
from pennyworth.wire.fields import shown

NAMES: Mapping[Dialect, str] = {
    "chat": "chat completions",
    "messages": "Anthropic messages",
    "responses": "OpenAI responses",
    "embeddings": "embeddings",
    "other": "this API",
}


_LONGEST = 200
"""Of a path that is said back: names in it are the caller's."""


class CannotSayError(ValueError):
    """A reply holds what the other dialect has no words for. ``what``: the field or part."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Losses:
    """Of one translation.

    ``fields``: what the caller's dialect calls the nouns of a prompt (``effort``: ``reasoning_effort``).
    ``dropped``: what was left out, by its own name or its field's, each once.
    """

    def __init__(self, into: Dialect, drop: Collection[str], fields: Mapping[str, str]) -> None:
        self.into = into
        self.dropped: list[str] = []
        self._drop = drop
        self._fields = fields

    def noun(self, name: str, value: object, why: str = "") -> None:
        """A field of the whole prompt cannot be carried; see ``cannot``."""
        self.cannot(self._fields.get(name, name), value, why)

    def thought(self, at: str, text: str, why: str) -> None:
        """A thought of an earlier turn cannot be carried; wherever it stands, it may be dropped as ``reasoning_content``."""
        self.cannot(at if at.endswith(".reasoning_content") else f"{at}.reasoning_content", text, why)

    def cannot(self, path: str, value: object, why: str = "") -> None:
        """What stands at ``path`` in the caller's body cannot be carried.

        Raises:
            RequestError: unless it may be dropped, under its own name or that of the field it stands in.
        """
        path = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}…"
        first, _, rest = path.partition(".")
        last = rest.rpartition(".")[2].partition("[")[0]
        for name in (last, first):
            if name and name in self._drop:
                if name not in self.dropped:
                    self.dropped.append(name)
                return
        name = last or first
        raise RequestError(
            f"{path}: {shown(value)} cannot be said in {NAMES[self.into]}, which is what this model's provider speaks"
            f"{': ' + why if why else ''}. Leave it out, choose a model of another provider, or ask the operator to add "
            f'"{name}" to routes.drop.',
            code="cannot_translate",
            param=path,
        )
