"""The web page's files, from the package: a fixed set read at the start, so that no path of a client is ever opened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_KEPT = "public, max-age=31536000, immutable"
"""For files whose names hold the hash of what is in them."""


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """One file of the page."""

    data: bytes
    kind: str
    cache: str
    tag: str


def page_files(folder: Traversable | None = None) -> dict[str, PageFile]:
    """The files of the page by their paths, "/" among them; files of other kinds are left out."""
    found = _read(files("redraft.studio") / "static" if folder is None else folder, "/")
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def page_router(found: dict[str, PageFile]) -> APIRouter:
    """Routes for exactly these files."""
    router = APIRouter(include_in_schema=False)
    for path, file in found.items():
        router.add_api_route(path, _serve(file), methods=["GET", "HEAD"])
    if "/" not in found:
        router.add_api_route("/", _unbuilt, methods=["GET"])
    return router


def _read(folder: Traversable, path: str) -> dict[str, PageFile]:
    found: dict[str, PageFile] = {}
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir():
            found |= _read(entry, f"{path}{entry.name}/")
            continue
        kind = _KINDS.get("." + entry.name.rpartition(".")[2])
        if kind is not None:
            data = entry.read_bytes()
            tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
            cache = _KEPT if path.startswith("/assets/") else "no-cache"
            found[path + entry.name] = PageFile(data=data, kind=kind, cache=cache, tag=tag)
    return found


def _serve(file: PageFile) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        headers = {"Cache-Control": file.cache, "ETag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)

    return serve


def _unbuilt() -> Response:
    text = "The page is not built: run `npm ci && npm run build` in web/. The API is described in /openapi.json.\n"
    return PlainTextResponse(text)
