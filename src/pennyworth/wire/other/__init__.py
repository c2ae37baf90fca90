"""Whatever is asked under ``/v1/`` beside the dialects. No ``Codec``: nothing in it is understood but where it goes."""

from pennyworth.request import Dialect
from pennyworth.wire.other.recorder import Tally
from pennyworth.wire.other.request import METHODS, PROVIDER_HEADER, Asking, asked_for, flavour, read_request

name: Dialect = "other"

__all__ = [
    "METHODS",
    "PROVIDER_HEADER",
    "Asking",
    "Tally",
    "asked_for",
    "flavour",
    "name",
    "read_request",
]
