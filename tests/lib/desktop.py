# SPDX-License-Identifier: GPL-2.0-or-later
# A screen for programs that lock one or sign on at one: an X server without hardware, a person who
# types there, and pictures of what they see.
"""The world of desktop programs: Display."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any, Optional

from tests.lib.pamworld import LIMIT, wait_until

WIDTH, HEIGHT = 1024, 768


class Display:
    """Xvfb on a display of its own; a context manager."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.width, self.height = width, height
        read, write = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-ac",
             "-nolisten", "tcp", "-noreset"], pass_fds=(write,), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb does not start"
        self.name = ":" + number

    def environment(self, **more: str) -> dict[str, str]:
        """For a program at this display."""
        return {"PATH": os.environ["PATH"], "DISPLAY": self.name, "HOME": "/nonexistent",
                "LC_ALL": "C.UTF-8", **more}

    def _do(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(command, env=self.environment(), check=True, capture_output=True,
                              timeout=LIMIT)

    def type(self, text: str) -> None:
        """Types, and presses Enter."""
        if text:
            self._do("xdotool", "type", "--delay", "20", text)
        self._do("xdotool", "key", "Return")

    def press(self, key: str) -> None:
        self._do("xdotool", "key", key)

    def picture(self, keep: Optional[Path] = None) -> "Picture":
        """What is on the screen; `keep`: also as a PNG there."""
        def dump() -> Any:
            # xwd fails when a window goes while it looks.
            with contextlib.suppress(subprocess.CalledProcessError):
                return self._do("xwd", "-root", "-silent").stdout

        made = Picture.of_dump(wait_until(dump, "a picture of the screen"))
        if keep is not None:
            keep.write_bytes(made.png())
        return made

    def wait_for(self, condition: Any, what: str) -> "Picture":
        """The first picture that fits."""
        def fits() -> Any:
            seen = self.picture()
            return seen if condition(seen) else None

        return wait_until(fits, what)

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.terminate()
        self.server.wait(LIMIT)


class Picture:
    """Grey pixels, a byte each."""

    def __init__(self, width: int, height: int, pixels: bytes) -> None:
        assert len(pixels) == width * height
        self.width, self.height, self.pixels = width, height, pixels

    @staticmethod
    def of_dump(dump: bytes) -> "Picture":
        """Of xwd's output, XWDFile.h, with three or four bytes for a pixel: their red."""
        header = struct.unpack(">25I", dump[:100])
        size, width, height, bits, line, colours = (header[n] for n in (0, 4, 5, 11, 12, 19))
        assert bits in (24, 32), bits
        step = bits // 8
        at = size + 12 * colours
        rows = [dump[at + y * line:at + y * line + step * width][2::step] for y in range(height)]
        return Picture(width, height, b"".join(rows))

    def png(self) -> bytes:
        """The same as a file that everybody can look at."""
        def chunk(kind: bytes, data: bytes) -> bytes:
            return (struct.pack(">I", len(data)) + kind + data
                    + struct.pack(">I", zlib.crc32(kind + data)))

        rows = b"".join(b"\0" + self.pixels[y * self.width:(y + 1) * self.width]
                        for y in range(self.height))
        return (b"\x89PNG\r\n\x1a\n"
                + chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 0, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

    def ink(self) -> Optional[tuple[int, int, int, int]]:
        """The box (left, top, right, bottom) of what differs from the picture's first pixel; None
        for an empty screen."""
        blank = self.pixels[:1]
        rows = [self.pixels[y * self.width:(y + 1) * self.width] for y in range(self.height)]
        used = [y for y, row in enumerate(rows) if row.strip(blank)]
        if not used:
            return None
        return (min(self.width - len(rows[y].lstrip(blank)) for y in used), used[0],
                max(len(rows[y].rstrip(blank)) for y in used) - 1, used[-1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self.pixels == other.pixels
