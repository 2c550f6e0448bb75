# SPDX-License-Identifier: GPL-2.0-or-later
# A headless Chromium, driven by its DevTools protocol: what a page looks like on a phone and on
# a desk.
"""A web browser for pages that devtrust writes."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

import aiohttp
import pytest

from tests.lib.pamworld import LIMIT, wait_until

PROGRAM = shutil.which("chromium")


def require() -> None:
    """Skips the test, with the reason, where there is no browser."""
    if PROGRAM is None:
        pytest.skip("no chromium here: scripts/deps.sh matrix installs it")


class Browser:
    """A context manager; all calls are synchronous."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.loop = asyncio.new_event_loop()
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.session: Any = None
        self.socket: Any = None
        self.number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Browser":
        assert PROGRAM is not None
        with open(self.directory / "chromium.log", "wb") as log:
            # Without a sandbox of its own: it runs as root, on files of the test.
            self.process = subprocess.Popen(
                [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage", "--disable-background-networking",
                 "--remote-debugging-port=0", f"--user-data-dir={self.directory / 'profile'}",
                 "about:blank"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        port = self.directory / "profile" / "DevToolsActivePort"
        wait_until(lambda: (port.exists() and "\n" in port.read_text())
                   or self.process.poll() is not None, "the browser listens", 4 * LIMIT)
        assert self.process.poll() is None, (self.directory / "chromium.log").read_text()
        self.loop.run_until_complete(self._connect(int(port.read_text().splitlines()[0])))
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        return self

    async def _connect(self, port: int) -> None:
        self.session = aiohttp.ClientSession()
        async with self.session.get(f"http://127.0.0.1:{port}/json") as reply:
            page = next(t for t in await reply.json() if t["type"] == "page")
        self.socket = await self.session.ws_connect(page["webSocketDebuggerUrl"],
                                                    max_msg_size=1 << 26)

    def __exit__(self, *_: object) -> None:
        async def close() -> None:
            await self.socket.close()
            await self.session.close()

        if self.session is not None:
            self.loop.run_until_complete(close())
        self.loop.close()
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    async def _next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.socket.receive_json(), 4 * LIMIT)
        if "method" in message:
            self.events.append(message)
        return message

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1

        async def exchange() -> dict[str, Any]:
            await self.socket.send_json({"id": self.number, "method": method, "params": params})
            while True:
                message = await self._next()
                if message.get("id") == self.number:
                    assert "error" not in message, message
                    return message["result"]

        return self.loop.run_until_complete(exchange())

    def wait_event(self, method: str) -> None:
        async def there() -> None:
            while not any(e["method"] == method for e in self.events):
                await self._next()

        self.loop.run_until_complete(there())

    # --- pages -------------------------------------------------------------------------------

    def size(self, width: int, height: int, *, mobile: bool = False, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, path: Path) -> None:
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait_event("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """Of JavaScript, asked from outside the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def tab(self) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                      windowsVirtualKeyCode=9)

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def requested(self) -> list[str]:
        """The addresses that the page asked for."""
        return [e["params"]["request"]["url"] for e in self.events
                if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        return [e["params"]["entry"]["text"] for e in self.events
                if e["method"] == "Log.entryAdded"]
