"""The address at which other machines reach a server on this one."""

from __future__ import annotations

import ipaddress
import socket

_ANYWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): no host has it, so it is outside of the local network


def address_of(host: str, port: int) -> str:
    """The web address of a server that listens on `host`; if it listens on all addresses, the machine's own."""
    if not others_reach(host):
        name = "localhost" if host == "127.0.0.1" else host
    elif _is_unspecified(host):
        name = _own_address()
    else:
        name = host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def others_reach(host: str) -> bool:
    """Whether a server that listens on `host` can be reached from other machines."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_address() -> str:
    """The address from which this machine reaches others; its host name without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Selects a route; sends nothing.
            probe.connect((_ANYWHERE, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
