"""The in-process door: the gateway as the ``http_client`` of an SDK. It stands beside the server's sockets, behind which
the same public door reads and answers."""

from pennyworth.transport.library import Pennyworth

__all__ = ["Pennyworth"]
