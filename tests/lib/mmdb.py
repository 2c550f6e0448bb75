# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes small databases in MaxMind's DB format (version 2.0 of its specification), for tests of
what asks them. Nothing of them is anybody's real data.

    python3 mmdb.py OUT.mmdb TYPE < networks.json

networks.json: {"192.0.2.0/24": {"country": {"iso_code": "DE"}}, ...}; whole numbers become
uint32."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Union

MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)  # between the tree and the data
RECORD_BITS = 24
STRING, UINT16, UINT32, MAP, UINT64, ARRAY, BOOLEAN = 2, 5, 6, 7, 9, 11, 14
FIRST_EXTENDED = 8

Tree = List[Union["Tree", bytes, None]]  # two branches


class Uint16(int):
    """The metadata wants some numbers in this form."""


class Uint64(int):
    pass


def _control(kind: int, size: int) -> bytes:
    """The bytes before a field: type and length."""
    if size < 29:
        length, more = size, b""
    elif size < 29 + 256:
        length, more = 29, bytes([size - 29])
    else:
        length, more = 30, (size - 285).to_bytes(2, "big")
    if kind < FIRST_EXTENDED:
        return bytes([kind << 5 | length]) + more
    return bytes([length, kind - 7]) + more


def encode(value: Any) -> bytes:
    if isinstance(value, bool):
        return _control(BOOLEAN, int(value))
    if isinstance(value, str):
        text = value.encode()
        return _control(STRING, len(text)) + text
    if isinstance(value, int):
        kind = (UINT16 if isinstance(value, Uint16) else
                UINT64 if isinstance(value, Uint64) else UINT32)
        number = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(kind, len(number)) + number
    if isinstance(value, dict):
        return _control(MAP, len(value)) + b"".join(
            encode(k) + encode(v) for k, v in value.items())
    assert isinstance(value, list), value
    return _control(ARRAY, len(value)) + b"".join(map(encode, value))


def _insert(tree: Tree, network: str, data: bytes, version: int) -> None:
    net = ipaddress.ip_network(network)
    width, bits = net.max_prefixlen, net.prefixlen
    number = int(net.network_address)
    if version == 6 and net.version == 4:  # IPv4 stands in ::/96
        width, bits = 128, bits + 96
    assert version == 6 or net.version == 4, network
    for depth in range(bits - 1):
        side = number >> (width - 1 - depth) & 1
        if tree[side] is None:
            tree[side] = [None, None]
        assert isinstance(tree[side], list), f"{network} lies in another network"
        tree = tree[side]  # type: ignore[assignment]
    tree[number >> (width - bits) & 1] = data


def _nodes(tree: Tree) -> List[Tree]:
    """All nodes, the root first."""
    found = [tree]
    for node in found:
        found += [branch for branch in node if isinstance(branch, list)]
    return found


def database(kind: str, networks: Dict[str, Any], version: int = 6) -> bytes:
    root: Tree = [None, None]
    section, offsets = b"", {}
    for network, value in networks.items():
        data = encode(value)
        if data not in offsets:
            offsets[data] = len(section)
            section += data
        _insert(root, network, data, version)
    nodes = _nodes(root)
    numbers = {id(node): i for i, node in enumerate(nodes)}
    tree = b""
    for node in nodes:
        for branch in node:
            record = len(nodes)  # nothing is known
            if isinstance(branch, list):
                record = numbers[id(branch)]
            elif branch is not None:
                record += len(SEPARATOR) + offsets[branch]
            tree += record.to_bytes(RECORD_BITS // 8, "big")
    metadata = encode({
        "binary_format_major_version": Uint16(2), "binary_format_minor_version": Uint16(0),
        "build_epoch": Uint64(1767225600), "database_type": kind,
        "description": {"en": "for tests"}, "ip_version": Uint16(version), "languages": ["en"],
        "node_count": len(nodes), "record_size": Uint16(RECORD_BITS)})
    return tree + SEPARATOR + section + MARKER + metadata


def write(path: Path, kind: str, networks: Dict[str, Any], version: int = 6) -> None:
    """In place of what is there, atomically, as updaters of such databases do."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(database(kind, networks, version))
    new.chmod(0o644)
    os.replace(new, path)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], json.load(sys.stdin))
