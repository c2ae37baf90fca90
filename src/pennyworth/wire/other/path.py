"""Where a request that is passed through may lead: the very path its caller sent, if two readers cannot read it in two ways.

A path is refused rather than mended. What is put behind a base URL must stay behind it, for us and for the provider, however
either of them undoes escapes, joins slashes or goes by dots.
"""

from __future__ import annotations

import re

from pennyworth.errors import RequestError

PREFIX = "/v1/"

_LONGEST = 4096
_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})+")
_QUERY = re.compile(r"[!\"$-~]*")  # behind a "#" the next reader may see nothing
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_NEEDLESS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/\\%")
"""Escaped, these are the same to one reader and another thing to the next (RFC 3986 §2.3, §6.2.2.2)."""

_WORD = re.compile(r"[a-z]+(?:[_-][a-z]+)*")
_LONGEST_WORD = 24
_MOST_PARTS = 8
_WORDS = frozenset(
    """
    archive assistants audio batches bulk calls cancel chat checkpoints client_secrets compact complete completions content
    conversations count_tokens edits embeddings evals events experts file_batches files fim fine-tuning fine_tuning
    generation generations graders images input_items input_tokens items jobs messages model_permissions models
    moderations ocr output_items parts pause permissions realtime remix rerank responses results resume run runs score
    search sessions skills speech steps submit_tool_outputs threads transcriptions transcription_sessions translations
    uploads validate variations vector_stores versions videos voices
    """.split()  # noqa: SIM905
)
"""The words of the paths of OpenAI, Anthropic, Mistral and own servers; another one behind the first may be somebody's
name for something."""

_ADMIN = frozenset(
    [
        *("admin", "api_keys", "api-keys", "auth", "billing", "budget", "config", "credits", "customer", "dashboard"),
        *(
            "key",
            "keys",
            "load_lora_adapter",
            "projects",
            "provisioning",
            "settings",
            "spend",
            "team",
            "unload_lora_adapter",
        ),
        *("usage", "user", "users", "workspaces"),
    ]
)
"""First parts of paths by which accounts, keys, money and servers are run: OpenAI and Anthropic have them under
``organization``, OpenRouter, LiteLLM and new-api under keys, credits, users and teams, vLLM under its adapters."""


def checked(path: str, query: str) -> str:
    """The path below a provider's base URL, with its query. ``path``: as it came, with its escapes.

    Raises:
        RequestError: 400, it can be read in two ways; 403, it leads to where an account is run.
    """
    if path == PREFIX:
        raise _wrong("there is nothing behind /v1/", "Say what is asked for.")
    if len(path) + len(query) > _LONGEST:
        raise _wrong(f"it is longer than {_LONGEST} characters", "Send long values in the body.")
    if not path.startswith(PREFIX) or not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise _wrong("it holds a character that no path may have", "Escape it, as in %20 for a space.")
    below = path.removeprefix(PREFIX)
    if ".." in below or "//" in path or "." in below.split("/"):
        raise _wrong("it holds '..', '//' or a lone dot", "Send the path that is meant.")
    for escape in _ESCAPE.findall(below):
        if (byte := int(escape, 16)) in _NEEDLESS or byte < 0x20 or byte == 0x7F:
            raise _wrong(f"it holds %{escape}, which two servers may read in two ways", "Send the character itself.")
    _refuse_admin(below)
    return f"/{below}?{query}" if query else f"/{below}"


def shape(method: str, path: str) -> str:
    """Method and path as they stand on receipts: known words stay, whatever else a part is has become ``{id}``."""
    first, *others = path.partition("?")[0].strip("/").split("/")
    start = first if _WORD.fullmatch(first) and len(first) <= _LONGEST_WORD else "{id}"
    told = [start, *[part if part in _WORDS else "{id}" for part in others]]
    more = "/…" if len(told) > _MOST_PARTS else ""
    return f"{method} {PREFIX}{'/'.join(told[:_MOST_PARTS])}{more}"


def _refuse_admin(below: str) -> None:
    first = re.split(r"[/;:,=]", below.lower(), maxsplit=1)[0]
    if first.startswith("organi") or first in _ADMIN:
        raise RequestError(
            f"/v1/{first[:40]} is where an account at a provider is run, and that is never passed through. "
            "Ask the provider itself, with a key of its own.",
            status=403,
            code="path_not_passed_through",
        )


def _wrong(problem: str, fix: str) -> RequestError:
    return RequestError(f"The path cannot be passed through: {problem}. {fix}", code="invalid_path")
