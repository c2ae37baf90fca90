"""Our credential, struck from a body that passes in pieces. Some servers say back what they were sent."""

from __future__ import annotations

from pennyworth.secret import Secret


class Striking:
    """``feed`` each piece, then take the ``rest``. Only what may be the beginning of the credential is held back."""

    __slots__ = ("_held", "_needle", "_secret")

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._needle = secret.reveal().encode() if secret else b""
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        if not self._needle:
            return piece
        text = self._secret.struck_from(self._held + piece)
        keep = self._may_begin(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _may_begin(self, text: bytes) -> int:
        """How many of the last bytes the credential begins with."""
        first = self._needle[0]
        for length in range(min(len(self._needle) - 1, len(text)), 0, -1):
            if text[-length] == first and text.endswith(self._needle[:length]):
                return length
        return 0
