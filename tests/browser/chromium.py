"""A headless Chromium that cannot hold up a run: one that does not answer when it shall close is killed and replaced.

Chromium sometimes never answers the request to dispose of a context (a service worker that is just being installed, a
download that just ended), and playwright waits for that answer without a limit.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright

PATIENCE = 20.0
"""Seconds that a browser may take to close a context, many times what it needs."""


class Chromium:
    """Starts the browser when a context is asked for and none runs."""

    def __init__(self, playwright: Playwright, program: str, *, patience: float = PATIENCE) -> None:
        self._playwright = playwright
        self._program = program
        self._patience = patience
        self._mark = f"--redraft-tests={uuid.uuid4().hex}"
        self._browser: Browser | None = None
        self.kills = 0

    def new_context(self, **options: Any) -> BrowserContext:
        """A browser of one person, with playwright's options."""
        if self._browser is None or not self._browser.is_connected():
            # A container often runs as root, where Chromium's own sandbox does not start.
            self._browser = self._playwright.chromium.launch(
                executable_path=self._program, args=["--no-sandbox", self._mark]
            )
        made = self._browser.new_context(**options)
        made.set_default_timeout(10_000)
        return made

    def close(self, context: BrowserContext) -> None:
        """Close a context, if need be with the browser."""
        with self._in_time():
            context.close()

    def end(self) -> None:
        """Close the browser, if one runs."""
        if self._browser is not None and self._browser.is_connected():
            with self._in_time():
                self._browser.close()

    def signal(self, name: str) -> None:
        """Send the browser's processes a signal, as pkill(1) names it."""
        subprocess.run(["pkill", f"-{name}", "-f", "--", self._mark], check=False)

    def _kill(self) -> None:
        self.kills += 1
        self.signal("KILL")

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        before = self.kills
        timer = threading.Timer(self._patience, self._kill)
        timer.start()
        try:
            yield
        except Error:
            # That the browser is gone is what playwright complains about after it was killed here.
            if self.kills == before:
                raise
        finally:
            timer.cancel()
