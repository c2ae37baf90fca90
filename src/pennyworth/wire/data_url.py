"""``data:`` URLs in base64 (RFC 2397), the way OpenAI's dialects put files into a body."""

from __future__ import annotations

_BASE64 = ";base64,"


def parts_of_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text; ``None`` where it is another kind of URL."""
    if not url.startswith("data:"):
        return None
    head, mark, data = url[5:].partition(_BASE64)
    return (head, data) if mark and "," not in head else None


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type}{_BASE64}{data}"
