"""Chat completions: what stands in a message's ``content``, as parts and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pennyworth.wire.data_url import data_url, parts_of_data_url
from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.nouns import Document, Image, Opaque, Part, Refusal, Text


def parts_of(rest: dict[str, Any], at: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts in ``content``, taken out of ``rest``, and how they were put."""
    said = taken(rest, "content", str, list)
    if said.__class__ is str:
        return (Text(text=said, at=f"{at}.content"),), ()
    if said is None:
        return (), () if "content" in rest else ("no content",)
    spelled = ("list",) if said else ("empty list",)
    return tuple([part_of(part, f"{at}.content[{i}]") for i, part in enumerate(said)]), spelled


def content_of(parts: Sequence[Part], spelled: Sequence[str]) -> str | list[Any] | None:
    """``content`` that says these parts: one text alone is a string; ``None`` = there is nothing to say."""
    if not parts:
        return [] if "empty list" in spelled else None
    only = parts[0]
    if len(parts) == 1 and only.__class__ is Text and not only.extra and "list" not in spelled:
        return only.text
    return [part_in(part) for part in parts]


def part_of(part: Any, at: str) -> Part:
    kind = part.get("type") if part.__class__ is dict else None
    rest = dict(part) if kind.__class__ is str else {}
    match kind:
        case "text" if (text := taken(rest, "text", str)) is not None:
            del rest["type"]
            return Text(text=text, at=at, extra=rest)
        case "refusal" if (text := taken(rest, "refusal", str)) is not None:
            del rest["type"]
            return Refusal(text=text, at=at, extra=rest, spelled=("in content",))
        case "image_url" if (found := _inside(rest, "image_url", "url")) is not None:
            return _image_of(rest, found, at)
        case "file" if (found := _inside(rest, "file", "file_data")) is not None and parts_of_data_url(found):
            media_type, data = parts_of_data_url(found) or ("", "")
            name = _inside(rest, "file", "filename")
            return Document(media_type=media_type, data=data, name=name, at=at, extra=rest)
    return Opaque(value=part, kind=kind if isinstance(kind, str) else "content", at=at)


def part_in(part: Part) -> Any:
    """The part as it stands in a list of content."""
    match part:
        case Text():
            out: dict[str, Any] = {"type": "text", "text": part.text}
        case Refusal():
            out = {"type": "refusal", "refusal": part.text}
        case Image():
            image = {"url": part.url or data_url(part.media_type, part.data)}
            out = {"type": "image_url", "image_url": put(image, (("detail", part.detail),))}
        case Document():
            file = {"file_data": data_url(part.media_type, part.data)}
            out = {"type": "file", "file": file if part.name is None else {**file, "filename": part.name}}
        case _:
            return part.value if isinstance(part, Opaque) else None
    return with_extra(out, part.extra) if part.extra else out


def _image_of(rest: dict[str, Any], url: str, at: str) -> Image:
    found = parts_of_data_url(url)
    media_type, data = found or ("", "")
    detail = _inside(rest, "image_url", "detail")
    return Image(url="" if found else url, media_type=media_type, data=data, detail=detail, at=at, extra=rest)


def _inside(rest: dict[str, Any], outer: str, name: str) -> str | None:
    """A member of a member, taken out; of the outer one there stays what else it holds."""
    value = rest.get(outer)
    if value.__class__ is not dict or value.get(name).__class__ is not str:
        return None
    left = {key: inner for key, inner in value.items() if key != name}
    rest.pop("type", None)
    if left:
        rest[outer] = left
    else:
        del rest[outer]
    return str(value[name])
