"""Python's warnings as a person should see them: one line on stderr, without the place in our code. It raises none."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def shown_warnings() -> Iterator[list[str]]:
    """Show each warning of the block as `warning: TEXT` on stderr, once; yields the texts, for --json.

    Which are shown at all is Python's affair (`-W`, PYTHONWARNINGS).
    """
    texts: list[str] = []
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_place: Any, **_file: Any) -> None:
        del category
        text = str(message)
        if text not in seen:
            seen.add(text)
            texts.append(text)
            typer.echo(f"warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield texts
