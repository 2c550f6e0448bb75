# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a QR code off a terminal, as a phone would: by zbar, from what the characters draw."""

from __future__ import annotations

import zbar

UPPER, LOWER = "█▀", "█▄"
MODULE = 8  # pixels


def drawing(text: str) -> list[str]:
    """The lines of `text` that are drawn with blocks, as they stand."""
    lines = [line.rstrip("\r\n") for line in text.splitlines()]
    return [line for line in lines if line.strip("█▀▄ ") == "" and line.startswith(("█", "▀"))]


def read(text: str, inverted: bool = False) -> list[str]:
    """What the codes among `text` say; inverted: on a terminal with a light background."""
    rows = []
    for line in drawing(text):
        rows.append([(mark in UPPER) != inverted for mark in line])
        rows.append([(mark in LOWER) != inverted for mark in line])
    if not rows:
        return []
    wide = max(map(len, rows))
    pixels = b""
    for row in rows:
        line = row + [inverted] * (wide - len(row))
        pixels += b"".join(bytes([255 if light else 0]) * MODULE for light in line) * MODULE
    picture = zbar.Image(wide * MODULE, len(rows) * MODULE, "Y800", pixels)
    zbar.ImageScanner().scan(picture)
    return [symbol.data for symbol in picture if str(symbol.type) == "QRCODE"]
