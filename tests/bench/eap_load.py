#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# EAP-TLS sign-ons, one after the other in each of several processes, as fast as they go: each a
# full handshake, at most one per process under way.
"""usage: eap_load.py PORT CA CHAIN KEY USER SECONDS PROCESSES; prints one line of JSON."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.lib import eap_tls  # noqa: E402
from tests.lib.radius import ACCEPT, Client  # noqa: E402


def work(number: int, words: list[str], barrier: Any, results: Any) -> None:
    port, ca, chain, key, user, seconds = words
    tls = eap_tls.context(ca, {"files": {"chain": chain, "key": key}})
    client = Client(int(port), NAS_Identifier="bench-ap",
                    Calling_Station_Id=f"02-00-00-00-01-{number:02X}")
    barrier.wait()
    until = time.monotonic() + float(seconds)
    accepts = others = 0
    while time.monotonic() < until:
        if eap_tls.Conversation(client, user, tls).run(timeout=20.0).code == ACCEPT:
            accepts += 1
        else:
            others += 1
    results.put((accepts, others))


def main() -> int:
    *words, processes = sys.argv[1:]
    count = int(processes)
    barrier, results = multiprocessing.Barrier(count + 1), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(i, words, barrier, results))
               for i in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait()
    started = time.monotonic()
    found = [results.get(timeout=60) for _ in workers]
    took = time.monotonic() - started
    for worker in workers:
        worker.join()
    accepts, others = (sum(column) for column in zip(*found))
    print(json.dumps({"accepts": accepts, "others": others, "rate": accepts / took}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
