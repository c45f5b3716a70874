"""From where a request comes, and whether from the studio's own page. Believes a proxy only if it is trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from redraft.studio.settings import StudioSettings, is_loopback


def peer_is_trusted(scope: Scope, settings: StudioSettings) -> bool:
    """Whether the other end of the connection is the configured proxy."""
    client = scope.get("client")
    return client is not None and _within(client[0], settings.proxy.trusted)


def client_address(scope: Scope, settings: StudioSettings) -> str:
    """The address of who asks: the peer's, or behind a trusted proxy the last forwarded one that is none itself."""
    client = scope.get("client")
    address: str = "" if client is None else client[0]
    if not peer_is_trusted(scope, settings):
        return address
    forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
    # Each proxy appends whom it saw; what stands further left was written by who asks.
    for entry in reversed([entry.strip() for entry in forwarded]):
        if not _is_address(entry):
            break
        address = entry
        if not _within(entry, settings.proxy.trusted):
            break
    return address


def host_is_ours(host: str, settings: StudioSettings) -> bool:
    """Whether the Host header names this studio. Keeps a page of elsewhere from reaching it under a name of its own."""
    name = urlsplit(f"//{host}").hostname
    if settings.public_url and name == urlsplit(settings.public_url).hostname:
        return True
    if settings.open or is_loopback(settings.host):
        return is_loopback(name)
    # Reachable by others and without a public_url, the names that lead here are not known.
    return not settings.public_url or is_loopback(name)


def origin_is_ours(headers: Headers, settings: StudioSettings) -> bool:
    """Whether a request that changes something may come from where it says. Browsers always say, programs never."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    if settings.public_url and origin == settings.public_url.rstrip("/"):
        return True
    return urlsplit(origin).netloc == headers.get("host", "") and origin != "null"


def _within(address: str, networks: Iterable[str]) -> bool:
    if not _is_address(address):
        return False
    found = ipaddress.ip_address(address)
    return any(found in ipaddress.ip_network(network) for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
