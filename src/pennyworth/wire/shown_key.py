"""The header by which a call shows who pays: our key in the provider's style, or the caller's own as he showed it."""

from __future__ import annotations

from pennyworth.plan import Provider
from pennyworth.request import Caller


def shown_key(provider: Provider, caller: Caller) -> tuple[str, str] | None:
    """Name and value; ``None`` where there is nothing to show. The value is a secret: only a socket may see it."""
    if provider.forward_caller:
        return (caller.shows, caller.credential) if caller.credential else None
    if not provider.credential or provider.auth == "none":
        return None
    if provider.auth == "bearer":
        return "authorization", f"Bearer {provider.credential.reveal()}"
    return provider.auth, provider.credential.reveal()
