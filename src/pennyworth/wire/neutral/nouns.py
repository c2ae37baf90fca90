"""A prompt: turns made of parts, tools, and how the answer is to be.

Every noun holds what more than one dialect can say. Whatever else its dialect said there stays on it, so that nothing is
lost on the way back, and nothing is carried into another dialect unseen:

- ``extra``: members that only its own dialect knows, under its own names. They are refused or dropped by name.
- ``spelled``: which of several ways of writing the same was chosen. Of no concern to anybody else.
- ``at``: where it stands in the caller's body (``messages[3].content[1]``), for errors.

A member of an unexpected type is not read but stays in ``extra``: readers raise nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from pennyworth.request import Dialect


class Node(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # made of JSON, so never part of a circle
    at: str = ""
    extra: Mapping[str, Any] = {}
    spelled: tuple[str, ...] = ()


class Text(Node, frozen=True, kw_only=True):
    text: str


class Image(Node, frozen=True, kw_only=True):
    """Either at an ``url`` or in place: ``data`` in base64, of a ``media_type``. ``detail``: how closely to look."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    detail: str | None = None


class Document(Node, frozen=True, kw_only=True):
    """A file to read, like ``Image``."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    name: str | None = None


class Thinking(Node, frozen=True, kw_only=True):
    """What the model thought before it spoke.

    Attributes:
        signature: by which its maker knows it again; ``None`` where it has none.
        sealed: thoughts that only their maker can read, instead of ``text``.
        maker: whose signature or seal it is, in OpenRouter's words (``anthropic-claude-v1``).
        id: of the item they belong to, where a dialect has that.
    """

    text: str = ""
    signature: str | None = None
    sealed: str | None = None
    maker: str | None = None
    id: str | None = None


class Refusal(Node, frozen=True, kw_only=True):
    """The model declined, in these words."""

    text: str


class ToolCall(Node, frozen=True, kw_only=True):
    """``arguments``: JSON text in the dialects that send text, else the object. See ``meaning.arguments_of``."""

    id: str
    name: str
    arguments: str | Mapping[str, Any]


class ToolResult(Node, frozen=True, kw_only=True):
    """What a tool gave. ``name``: of the tool, where the dialect says it again."""

    call_id: str
    parts: tuple[Part, ...]
    is_error: bool | None = None
    name: str | None = None


class Opaque(Node, frozen=True, kw_only=True):
    """What only its own dialect can say, as it said it. ``kind``: its name, for errors and for ``routes.drop``."""

    value: Any
    kind: str


Part: TypeAlias = Text | Image | Document | Thinking | Refusal | ToolCall | ToolResult | Opaque

Role = Literal["system", "user", "assistant", "other"]
"""``other``: a turn or an item of one dialect alone; its only part is ``Opaque``."""


class Turn(Node, frozen=True, kw_only=True):
    """Tool results are parts of the user's turns."""

    role: Role
    parts: tuple[Part, ...]


class Tool(Node, frozen=True, kw_only=True):
    """A function the model may call. ``schema``: of its arguments; ``None`` = it takes none. ``strict``: they must fit it."""

    name: str
    description: str | None = None
    schema: Any = None
    strict: bool | None = None


class Choice(Node, frozen=True, kw_only=True):
    """Whether a tool must be called. ``named``: the one of this ``name``."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""


class Shape(Node, frozen=True, kw_only=True):
    """What the answer must look like: text, any JSON, or JSON of a ``schema`` (``name`` is a label for it)."""

    kind: Literal["text", "json", "schema"]
    schema: Any = None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None


class Prompt(Node, frozen=True, kw_only=True):
    """A request. ``None``: not said.

    Attributes:
        parallel: several tools may be called at once.
        cap: the most tokens of the answer, thinking included.
        effort: how much to think: ``none``, ``low``, …
        verbosity: how much to say: ``low``, ``medium``, ``high``.
        user: the end user's name, for the provider's abuse monitoring.
    """

    dialect: Dialect
    turns: tuple[Turn, ...]
    model: str | None = None
    tools: tuple[Tool | Opaque, ...] | None = None
    choice: Choice | None = None
    parallel: bool | None = None
    shape: Shape | None = None
    temperature: float | None = None
    top_p: float | None = None
    cap: int | None = None
    stop: tuple[str, ...] | None = None
    effort: str | None = None
    verbosity: str | None = None
    user: str | None = None
    stream: bool | None = None
