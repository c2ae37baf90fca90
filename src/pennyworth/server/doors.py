"""The two listening sockets, and what is said when one cannot be had."""

from __future__ import annotations

import errno
import socket

import msgspec

from pennyworth.config.addresses import is_loopback, is_wildcard
from pennyworth.errors import ConfigError
from pennyworth.plan import Listen, Plan
from pennyworth.server.worker import bind


class Doors(msgspec.Struct, frozen=True):
    """The sockets of the gateway and of its admin port, bound; connections wait in them from now on."""

    public: socket.socket
    admin: socket.socket

    @property
    def public_url(self) -> str:
        return url_of(self.public)

    @property
    def admin_url(self) -> str:
        return url_of(self.admin)

    def close(self) -> None:
        """May be called when they have been closed already."""
        self.public.close()
        self.admin.close()


def open_doors(plan: Plan) -> Doors:
    """Raises ``ConfigError``: an address that is in use, not ours, or open to all without a key."""
    listen = plan.listen
    if not plan.admin_key and not is_loopback(listen.admin_host):
        raise ConfigError(
            "admin.host",
            f"{listen.admin_host!r} can be reached from other machines, and no admin key is configured",
            "Set PENNYWORTH_ADMIN_KEY or admin.key_env, or use 127.0.0.1.",
        )
    public = _bound(listen, "listen")
    try:
        admin = _bound(msgspec.structs.replace(listen, host=listen.admin_host, port=listen.admin_port), "admin")
    except ConfigError:
        public.close()
        raise
    return Doors(public, admin)


def url_of(listener: socket.socket) -> str:
    """Where a program on this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(listen: Listen, section: str) -> socket.socket:
    try:
        return bind(listen)
    except OSError as error:
        raise _explained(error, listen, section) from error


def _explained(error: OSError, listen: Listen, section: str) -> ConfigError:
    variable = "PENNYWORTH_PORT" if section == "listen" else "PENNYWORTH_ADMIN_PORT"
    match error.errno:
        case errno.EADDRINUSE:
            problem = f"{listen.port} on {listen.host} is in use by another program"
            return ConfigError(
                f"{section}.port", problem, f"Stop that program, or choose another port: {variable}=0 takes a free one."
            )
        case errno.EACCES | errno.EPERM:
            problem = f"{listen.port} is not for this user ({error.strerror})"
            return ConfigError(
                f"{section}.port", problem, f"Choose a port above 1023, by {variable} or {section}.port."
            )
        case _:
            problem = f"{listen.host!r} is no address of this machine ({error.strerror})"
            return ConfigError(f"{section}.host", problem, "Use 127.0.0.1, 0.0.0.0, or an address that it has.")
