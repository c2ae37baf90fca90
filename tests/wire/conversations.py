"""Conversations as callers hold them, in each dialect, for laws that must hold for all of them.

Every text is drawn from a few marks, so that what is lost or mixed up is seen. Some hold what cannot be carried.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from pennyworth.request import Dialect

Body = dict[str, Any]

marks = st.integers(0, 50).map(lambda n: f"mark {n}")
names = st.sampled_from(("look", "find", "pay"))
arguments = st.dictionaries(
    st.sampled_from(("a", "b")), marks | st.integers() | st.lists(marks, max_size=2), max_size=2
)
schemas = st.sampled_from(
    ({"type": "object", "properties": {}}, {"type": "object", "properties": {"a": {"type": "string"}}})
)
rarely = st.integers(0, 9).map(lambda n: n == 0)
pngs = st.just("iVBORw0KGgo=")


@st.composite
def chat_bodies(draw: st.DrawFn) -> Body:
    messages: list[Body] = draw(st.lists(_chat_system(), max_size=2))
    for _ in range(draw(st.integers(0, 3))):
        messages.append({"role": "user", "content": draw(_chat_content())})
        messages.extend(draw(_chat_answer()))
    messages.append({"role": "user", "content": draw(_chat_content())})
    return {"model": "claude-sonnet-4-5", "messages": messages, **draw(_chat_fields())}


@st.composite
def messages_bodies(draw: st.DrawFn) -> Body:
    messages: list[Body] = []
    for _ in range(draw(st.integers(0, 3))):
        messages.append({"role": "user", "content": draw(_blocks())})
        messages.extend(draw(_answer_in_blocks()))
    messages.append({"role": "user", "content": draw(_blocks())})
    return {"model": "claude-sonnet-4-5", "messages": messages, **draw(_messages_fields())}


@st.composite
def responses_bodies(draw: st.DrawFn) -> Body:
    items: list[Body] = []
    for _ in range(draw(st.integers(0, 3))):
        items.append({"role": "user", "content": draw(_parts())})
        items.extend(draw(_items()))
    items.append({"role": "user", "content": draw(_parts())})
    one = draw(st.booleans()) and len(items) == 1 and isinstance(items[0]["content"], str)
    asked = items[0]["content"] if one else items
    return {"model": "claude-sonnet-4-5", "input": asked, **draw(_responses_fields())}


bodies: dict[Dialect, st.SearchStrategy[Body]] = {
    "chat": chat_bodies(),
    "messages": messages_bodies(),
    "responses": responses_bodies(),
}


def _chat_system() -> st.SearchStrategy[Body]:
    content = marks | st.lists(marks.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=2)
    return st.builds(
        lambda role, text: {"role": role, "content": text}, st.sampled_from(("system", "developer")), content
    )


def _chat_content() -> st.SearchStrategy[Any]:
    text = st.builds(_with_breakpoint, marks.map(lambda text: {"type": "text", "text": text}), rarely)
    detail = st.sampled_from(({}, {"detail": "auto"}, {"detail": "high"}))
    url = pngs.map(lambda data: f"data:image/png;base64,{data}") | marks.map(
        lambda text: f"https://host/{text[5:]}.png"
    )
    image = st.builds(lambda url, more: {"type": "image_url", "image_url": {"url": url, **more}}, url, detail)
    file = {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    rare = st.sampled_from(({"type": "file", "file": file}, audio))
    return marks | st.lists(text | text | image | rare, min_size=1, max_size=3)


@st.composite
def _chat_answer(draw: st.DrawFn) -> list[Body]:
    message: Body = {"role": "assistant", "content": draw(marks | st.none())}
    if draw(rarely):
        message["reasoning_content"] = draw(marks)
    elif draw(rarely):
        text = draw(marks)
        signed = {
            "type": "reasoning.text",
            "text": text,
            "signature": draw(marks),
            "format": "anthropic-claude-v1",
            "index": 0,
        }
        message |= {"reasoning_content": text, "reasoning_details": [signed]}
    called = draw(st.lists(st.tuples(names, arguments), max_size=2))
    if not called:
        return [{**message, "content": message["content"] or draw(marks)}]
    message["tool_calls"] = [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for i, (name, given) in enumerate(called)
    ]
    results = [{"role": "tool", "tool_call_id": f"call_{i}", "content": draw(marks)} for i in range(len(called))]
    return [message, *results]


@st.composite
def _chat_fields(draw: st.DrawFn) -> Body:
    tool = st.builds(
        lambda name, text, schema, more: {
            "type": "function",
            "function": {"name": name, "description": text, "parameters": schema, **more},
        },
        names,
        marks,
        schemas,
        st.sampled_from(({}, {"strict": True}, {"strict": False})),
    )
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": draw(schemas), "strict": True}}
    choices = ("auto", "none", "required", {"type": "function", "function": {"name": "look"}})
    fields = {
        "temperature": st.sampled_from((0, 0.5, 1, 1.5)),
        "top_p": st.sampled_from((0.5, 1)),
        "max_tokens": st.integers(1, 900),
        "max_completion_tokens": st.integers(1, 900),
        "stop": marks | st.lists(marks, max_size=2),
        "tools": st.lists(tool, min_size=1, max_size=2),
        "tool_choice": st.sampled_from(choices),
        "parallel_tool_calls": st.booleans(),
        "response_format": st.sampled_from(({"type": "text"}, {"type": "json_object"}, shape)),
        "reasoning_effort": st.sampled_from(("none", "minimal", "low", "high")),
        "user": marks,
        "stream": st.booleans(),
        "n": st.sampled_from((1, 2)),
        "seed": st.integers(0, 9),
        "metadata": st.just({"team": "mark 7"}),
        "frequency_penalty": st.sampled_from((0, 1)),
        "verbosity": st.sampled_from(("low", "medium")),
    }
    return draw(_some(fields))


def _blocks() -> st.SearchStrategy[Any]:
    text = st.builds(_with_breakpoint, marks.map(lambda text: {"type": "text", "text": text}), rarely)
    sources = (
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://host/1.png"},
        {"type": "file", "file_id": "mark 9"},
    )
    image = st.sampled_from(sources).map(lambda source: {"type": "image", "source": source})
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    document = st.just({"type": "document", "source": pdf, "title": "mark 3"})
    return marks | st.lists(text | text | image | document, min_size=1, max_size=3)


@st.composite
def _answer_in_blocks(draw: st.DrawFn) -> list[Body]:
    blocks: list[Body] = []
    if draw(rarely):
        blocks.append({"type": "thinking", "thinking": draw(marks), "signature": draw(marks)})
    if draw(rarely):
        blocks.append({"type": "redacted_thinking", "data": draw(marks)})
    called = draw(st.lists(st.tuples(names, arguments), max_size=2))
    blocks.extend({"type": "text", "text": draw(marks)} for _ in range(draw(st.integers(0 if called else 1, 2))))
    blocks.extend(
        {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": given} for i, (name, given) in enumerate(called)
    )
    if draw(rarely):
        blocks.append({"type": "text", "text": draw(marks)})
    failed = st.sampled_from(({}, {"is_error": False}, {"is_error": True}))
    content = marks | marks.map(lambda text: [{"type": "text", "text": text}])
    results = [
        {"type": "tool_result", "tool_use_id": f"toolu_{i}", "content": draw(content), **draw(failed)}
        for i in range(len(called))
    ]
    answer: list[Body] = [{"role": "assistant", "content": blocks}]
    return [*answer, {"role": "user", "content": results}] if results else answer


@st.composite
def _messages_fields(draw: st.DrawFn) -> Body:
    tool = st.builds(
        lambda name, text, schema, more: {"name": name, "description": text, "input_schema": schema, **more},
        names,
        marks,
        schemas,
        st.sampled_from(({}, {"strict": True}, {"type": "custom"}, {"defer_loading": True})),
    )
    choices = (
        {"type": "auto"},
        {"type": "any", "disable_parallel_tool_use": True},
        {"type": "tool", "name": "look"},
        {"type": "none"},
    )
    text = marks.map(lambda text: {"type": "text", "text": text})
    shape = {"format": {"type": "json_schema", "schema": draw(schemas)}}
    fields = {
        "system": marks | st.lists(text, min_size=1, max_size=2),
        "temperature": st.sampled_from((0, 0.5, 1)),
        "top_p": st.sampled_from((0.5, 1)),
        "top_k": st.integers(1, 9),
        "stop_sequences": st.lists(marks, max_size=2),
        "tools": st.lists(tool, min_size=1, max_size=2),
        "tool_choice": st.sampled_from(choices),
        "output_config": st.sampled_from((shape, {"effort": "low"}, {"effort": "max"})),
        "thinking": st.sampled_from(
            ({"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024})
        ),
        "metadata": st.just({"user_id": "mark 8"}),
        "stream": st.booleans(),
    }
    return {"max_tokens": draw(st.integers(1, 900)), **draw(_some(fields))}


def _parts() -> st.SearchStrategy[Any]:
    text = marks.map(lambda text: {"type": "input_text", "text": text})
    image = pngs.map(
        lambda data: {"type": "input_image", "image_url": f"data:image/png;base64,{data}", "detail": "auto"}
    )
    return marks | st.lists(text | text | image, min_size=1, max_size=3)


@st.composite
def _items(draw: st.DrawFn) -> list[Body]:
    items: list[Body] = []
    if draw(rarely):
        summary = [{"type": "summary_text", "text": draw(marks)}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": draw(marks)})
    called = draw(st.lists(st.tuples(names, arguments), max_size=2))
    if not called or draw(st.booleans()):
        said = {"type": "output_text", "text": draw(marks), "annotations": []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]})
    items.extend(
        {"type": "function_call", "call_id": f"call_{i}", "name": name, "arguments": json.dumps(given)}
        for i, (name, given) in enumerate(called)
    )
    results = [
        {"type": "function_call_output", "call_id": f"call_{i}", "output": draw(marks)} for i in range(len(called))
    ]
    return [*items, *results]


@st.composite
def _responses_fields(draw: st.DrawFn) -> Body:
    tool = st.builds(
        lambda name, text, schema, strict: {
            "type": "function",
            "name": name,
            "description": text,
            "parameters": schema,
            "strict": strict,
        },
        names,
        marks,
        schemas,
        st.booleans(),
    )
    shape = {"format": {"type": "json_schema", "name": "answer", "schema": draw(schemas), "strict": True}}
    fields = {
        "instructions": marks,
        "temperature": st.sampled_from((0, 0.5, 1.5)),
        "max_output_tokens": st.integers(1, 900),
        "tools": st.lists(tool | st.just({"type": "web_search"}), min_size=1, max_size=2),
        "tool_choice": st.sampled_from(("auto", "required", {"type": "function", "name": "look"})),
        "text": st.sampled_from((shape, {"format": {"type": "text"}}, {"verbosity": "low"})),
        "reasoning": st.sampled_from(({"effort": "low"}, {"effort": "low", "summary": "auto"})),
        "store": st.booleans(),
        "stream": st.booleans(),
        "previous_response_id": marks,
        "user": marks,
    }
    return draw(_some(fields))


@st.composite
def _some(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> Body:
    """A few of the fields, so that most bodies can be carried."""
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=4))
    return {name: draw(fields[name]) for name in chosen}


def _with_breakpoint(part: Body, marked: bool) -> Body:
    return {**part, "cache_control": {"type": "ephemeral"}} if marked else part


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | marks | st.sampled_from(("text", "user", "tool", "image_url", "")),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(("type", "role", "content", "name", "id")), inner, max_size=3)
    ),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, body: Any, *, depth: int = 0) -> Any:
    """The same with anything at all somewhere in it."""
    if depth and draw(st.integers(0, 3)) == 0:
        return draw(anything)
    match body:
        case dict() if body:
            name = draw(st.sampled_from(sorted(body)))
            return {**body, name: draw(damaged(body[name], depth=depth + 1))}
        case list() if body:
            place = draw(st.integers(0, len(body) - 1))
            return [*body[:place], draw(damaged(body[place], depth=depth + 1)), *body[place + 1 :]]
    return draw(anything)
