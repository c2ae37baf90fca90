"""The construction is RFC 2104's, whatever the length."""

from __future__ import annotations

import hmac

import pytest

from pennyworth.mac import Mac


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 1999, 2000, 2001, 4000, 4001, 32 * 1024 - 1, 32 * 1024, 100_000])
@pytest.mark.parametrize("secret", [b"", b"s", b"s" * 32, b"s" * 64, b"s" * 65, b"s" * 200])
def test_it_is_hmac_sha_256(length: int, secret: bytes) -> None:
    message = bytes(byte % 251 for byte in range(length))
    assert Mac(secret)(message) == hmac.digest(secret, message, "sha256")
