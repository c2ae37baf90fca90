"""Does the answer depend on more than the request says? Then a kept one may be wrong tomorrow.

An answer may be given again only if everything it depends on is in the request: not the web, not a conversation that
the provider remembers, not a picture behind a link. The lists below name what providers offer today. A field that is
missing from them is a hit too many, so a new one belongs here as soon as it is known; each row of the test names the
provider it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_BY_PROVIDER: Mapping[str, tuple[str, ...]] = {
    "OpenAI": ("web_search_options",),
    "Azure": ("data_sources", "dataSources"),
    "Anthropic": ("mcp_servers", "fallback_credit_token"),
    "Gemini": (
        "google_search",
        "google_search_retrieval",
        "googleSearch",
        "grounding",
        "url_context",
        "code_execution",
    ),
    "Qwen": ("enable_search", "search_options", "forced_search", "enable_source"),
    "xAI": ("search_parameters",),
    "OpenRouter": ("plugins",),
    "Groq": ("compound_custom", "search_settings"),
    "Perplexity": (
        "search_mode",
        "search_domain_filter",
        "search_recency_filter",
        "search_after_date_filter",
        "search_before_date_filter",
        "last_updated_after_filter",
        "last_updated_before_filter",
        "return_related_questions",
        "enable_search_classifier",
        "disable_search",
    ),
    "Tencent": ("enable_enhancement", "force_search_enhancement", "enable_deep_search", "search_info"),
    "Cohere": ("connectors",),
    "Mistral and Zhipu": ("knowledge_id", "knowledge_base", "retrieval", "file_search"),
    "Baidu, Venice and others": (
        "web_search",
        "enable_web_search",
        "web_search_enable",
        "use_web_search",
        "use_search",
        "online_search",
        "knowledge_base_id",
        "knowledge_base_ids",
        "dataset_ids",
        "tool_resources",
        "attachments",
    ),
}
"""Body fields by which a provider looks something up, or runs something, beyond the prompt."""

_SEARCH = frozenset(name for names in _BY_PROVIDER.values() for name in names)

_STATE = frozenset(
    (
        "previous_response_id",
        "conversation",
        "conversation_id",
        "thread",
        "thread_id",
        "assistant_id",
        "previous_message_id",
        "parent_message_id",
        "previous_interaction_id",
        "session",
        "session_id",
        "chat_id",
        "memory_id",
        "bot_id",
        "agent",
        "agent_id",
        "cached_content",
        "container",
    )
)
"""Body fields that name something the provider remembers."""

_NESTS = frozenset(("extra_body", "parameters", "provider_options", "google", "venice_parameters"))
"""Objects such switches come wrapped in, at most two deep (``extra_body.google.cached_content``)."""

_ASKS: Mapping[str, str] = {
    "store": "store: the provider was asked to remember the reply",
    "background": "background: the reply is fetched later",
    "audio": "audio: spoken replies are not kept",
    "context_management": "context_management: the provider changes what it reads",
    "compaction": "compaction: the provider was asked to sum up, for what comes next",
    "diagnostics": "diagnostics: the reply is held against an earlier one",
}
"""Body fields that ask for something a kept reply would not do."""

TELLING = _STATE | _SEARCH | _NESTS | frozenset(_ASKS) | {"tools", "modalities"}
"""Body fields worth a look; a body without any of them is done with in one set operation."""

_SEARCHING_MODEL = re.compile(
    r"(?:^|[-_./:])(?:web-?|deep-?)?search(?:er|ing)?(?:$|[-_.:@])"  # gpt-4o-search-preview, gpt-5-search-api
    r"|(?:^|[-_./:])deep-?research|-researcher(?:$|[-:])"  # o3-deep-research, sonar-deep-research, kimi-researcher
    r"|(?:^|[-/])sonar(?:$|[-:@])"  # Perplexity: sonar-pro, llama-3.1-sonar-large
    r"|[:-](?:online|browsing)(?:$|[-:])"  # OpenRouter gpt-4o:online, Perplexity pplx-70b-online, doubao-browsing
    r"|(?:^|/)compound(?:$|-)"  # Groq compound, compound-beta-mini
)
_LOCAL_TOOLS = frozenset(("function", "custom"))
_CLIENT_TOOLS = ("bash_2", "computer_2", "computer_toolset_", "text_editor_2", "memory_2", "browser_toolset_")
"""Tools that Anthropic defines and the caller runs, by the beginnings of their dated types: they lead to calls only."""

_BUILT_IN = frozenset(
    ("google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval", "url_context")
)
_OFF_WORDS = frozenset(("", "off", "none", "false", "disabled", "disable", "no", "0"))
_LINK_KEYS = frozenset(("url", "uri", "file_uri", "fileUri"))
_ID_KEYS = frozenset(("file_id", "fileId", "asset_id", "document_id", "media_id"))
_PLAIN_PARTS = frozenset(("text", "input_text", "output_text", "refusal", "thinking", "reasoning"))


def searching_model(model: str) -> bool:
    """The model searches by itself, whatever the request says."""
    name = model.lower()
    # Every request passes here: substrings first, 0.2 µs against 1.6 µs for the pattern.
    if not ("search" in name or "sonar" in name or "online" in name or "compound" in name or "brows" in name):
        return "-alltools" in name  # Zhipu glm-4-alltools
    return _SEARCHING_MODEL.search(name) is not None


def in_fields(fields: Mapping[str, Any], nested: int = 2) -> str:
    """What in the body, outside the messages, an answer would depend on besides the request; "" = nothing."""
    for name, value in fields.items():
        if name not in TELLING:
            continue
        if name in _NESTS:
            reason = in_fields(value, nested - 1) if nested and isinstance(value, dict) else ""
        else:
            reason = _in_field(name, value)
        if reason:
            return reason
    return ""


def in_messages(messages: object) -> str:
    """What the messages only point to: links, uploads, recordings. "" = all is in the request."""
    if not isinstance(messages, list):
        return ""
    for message in messages:
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        if content.__class__ is not str and (reason := in_content(content)):
            return reason
        if message.get("audio") is not None:
            return "a message refers to a recording the provider holds"
    return ""


def _in_field(name: str, value: object) -> str:
    if name == "tools":
        return in_tools(value)
    if name == "modalities":
        return _in_modalities(value)
    if name == "disable_search":  # naming it at all says that the model searches unless told not to
        return "disable_search is false: the provider searches" if value is not None and not value else ""
    if value is not None and name == "web_search_options":  # an empty object turns it on
        return "web_search_options: the provider searches the web"
    if not _is_on(value):
        return ""
    if name in _STATE:
        return f"{name}: the answer depends on what the provider remembers"
    return _ASKS.get(name) or f"{name}: the provider looks beyond the prompt"


def _is_on(value: object) -> bool:
    """Present and not a way of saying no."""
    if isinstance(value, str):
        return value.lower() not in _OFF_WORDS
    if isinstance(value, dict):
        switch = value.get("enabled", value.get("enable", value.get("mode", value.get("type", True))))
        return bool(value) and (isinstance(switch, dict) or _is_on(switch))
    return bool(value)


def in_tools(tools: object) -> str:
    """The first tool that runs at the provider."""
    if not isinstance(tools, list):
        return "tools in an unknown form" if tools else ""
    for tool in tools:
        if not isinstance(tool, dict):
            return "a tool in an unknown form"
        kind = tool.get("type")
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else tool.get("name")
        if kind is None and name is None:
            return f"tool {shown(next(iter(tool), ''))}: it runs at the provider"  # Gemini: {"google_search": {}}
        if kind is not None and not (
            isinstance(kind, str) and (kind in _LOCAL_TOOLS or kind.startswith(_CLIENT_TOOLS))
        ):
            return f"tool of type {shown(kind)}: it runs at the provider"
        if isinstance(name, str) and (name.startswith("$") or name in _BUILT_IN):  # Moonshot $web_search
            return f"tool {shown(name)}: it runs at the provider"
    return ""


def _in_modalities(modalities: object) -> str:
    wanted = modalities if isinstance(modalities, list) else (modalities,)
    other = [kind for kind in wanted if kind not in ("text", None)]
    return f"modalities {shown(other[0])}: only text replies are kept" if other else ""


def in_content(content: object) -> str:
    """What a turn's content only points to, or that cannot be read: a link, an upload, a recording."""
    parts = content if isinstance(content, list) else (content,)
    for part in parts:
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        if isinstance(kind, str) and kind in _PLAIN_PARTS:
            continue
        if kind == "input_audio" or "input_audio" in part:
            return "a message with a recording: spoken requests are not kept"
        if reason := pointed_at(part):
            return reason
    return ""


def pointed_at(part: object) -> str:
    """The first thing a content part names without containing it. A stack, not recursion: the depth is the caller's."""
    left = [part]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, str):
                    if reason := _pointer(key, inner):
                        return reason
                elif isinstance(inner, dict | list):
                    left.append(inner)
        elif isinstance(value, list):
            left.extend(value)
    return ""


def _pointer(key: object, value: str) -> str:
    if key == "text" or not isinstance(key, str):
        return ""
    if key in _ID_KEYS:
        return f"{key}: the file is at the provider, not in the request"
    head = value[:32].lstrip().lower()
    if (key in _LINK_KEYS or key.endswith("_url")) and not head.startswith("data:"):
        return f"{key} is a link: what it shows may change (a data: URL would be kept)"
    return f"{key} is a link: what it shows may change" if "://" in head else ""


def shown(value: object) -> str:
    """Short, and safe for whatever a caller may have put there."""
    return repr(value[:60]) if isinstance(value, str) else f"({type(value).__name__})"
