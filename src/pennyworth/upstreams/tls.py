"""TLS contexts, one for each set of certificate files. A file that was renewed is read again for the next connection."""

from __future__ import annotations

import os
import ssl
from typing import NamedTuple

from pennyworth.plan import Road
from pennyworth.upstreams.road import CertificateFileError

_MOST = 256

_Files = tuple[str, str, str]


class _Made(NamedTuple):
    """A context, and the state of its files when it was made."""

    stamps: tuple[int, ...]
    context: ssl.SSLContext


class Contexts:
    """``of`` raises ``CertificateFileError`` where a file is not there or does not hold what it should."""

    def __init__(self) -> None:
        self._known: dict[_Files, _Made] = {}

    def of(self, road: Road) -> ssl.SSLContext:
        files = (road.ca_file, road.client_cert, road.client_key)
        stamps = _stamps(road)
        made = self._known.get(files)
        if made is None or made.stamps != stamps:
            if len(self._known) >= _MOST:
                self._known.clear()
            made = self._known[files] = _Made(stamps, context(road))
        return made.context


def context(road: Road) -> ssl.SSLContext:
    """With the system's authorities and what the road adds to them."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    if road.ca_file:
        _add_authorities(made, road.ca_file)
    if road.client_cert:
        _identify(made, road)
    return made


def _add_authorities(made: ssl.SSLContext, name: str) -> None:
    try:
        made.load_verify_locations(cafile=name)
    except ssl.SSLError:
        raise CertificateFileError("ca_file", name, "holds no certificate in PEM form") from None
    except OSError as error:
        raise _unreadable("ca_file", name, error) from None


def _identify(made: ssl.SSLContext, road: Road) -> None:
    key = road.client_key or road.client_cert
    for name, of in ((road.client_cert, "client_cert"), (key, "client_key" if road.client_key else "client_cert")):
        if not os.access(name, os.R_OK):
            raise CertificateFileError(of, name, "cannot be read")
    try:
        # A key under a password would be asked for on the terminal, where nobody sits: an empty one is tried instead.
        made.load_cert_chain(road.client_cert, key, password=lambda: b"")
    except ssl.SSLError as error:
        why = "do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else _NOT_A_PAIR
        raise CertificateFileError("client_cert", f"{road.client_cert} and {key}", why) from None
    except OSError as error:
        raise _unreadable("client_cert", road.client_cert, error) from None


_NOT_A_PAIR = "are not a certificate and its key in PEM form, the key without a password"


def _stamps(road: Road) -> tuple[int, ...]:
    found = []
    for key, name in (("ca_file", road.ca_file), ("client_cert", road.client_cert), ("client_key", road.client_key)):
        if name:
            try:
                found.append(os.stat(name).st_mtime_ns)
            except OSError as error:
                raise _unreadable(key, name, error) from None
    return tuple(found)


def _unreadable(key: str, name: str, error: OSError) -> CertificateFileError:
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return CertificateFileError(key, name, f"cannot be read ({why})")
