"""Which answers came from one device, without keeping an address: a keyed hash that is another one every day."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from starlette.requests import Request

from redraft.studio.context import Studio
from redraft.studio.identity.addresses import client_address

_DIGITS = 32
_SIXTH_NETWORK = 64  # a household has so many bits of IPv6


def device_of(studio: Studio, request: Request) -> str:
    """Names the public network address and the program of a request for this day; "" where that tells nothing.

    People of one house share a private address, and behind a proxy that is not configured all have the proxy's: such
    addresses are no sign that accounts are one. Neither address nor program can be read from the name without the
    server's key.
    """
    try:
        address = ipaddress.ip_address(client_address(request.scope, studio.settings))
    except ValueError:
        return ""
    if not address.is_global:
        return ""
    length = 32 if address.version == 4 else _SIXTH_NETWORK
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    day = datetime.fromtimestamp(studio.now(), tz=UTC).date().isoformat()
    program = request.headers.get("user-agent", "")[:512]
    return studio.keys.blind("device", f"{day}\0{network}\0{program}")[:_DIGITS]
