# SPDX-License-Identifier: GPL-2.0-or-later
# What a demo leaves behind must be findable when it was killed without a chance to clean up: each
# run keeps a note of its processes, and the next run, or `make demo-stop`, ends exactly those.
"""Notes about running demos."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Iterator, Optional

STOP_LIMIT = 60.0  # seconds for a demo to clean up after itself
STEP = 0.05


def birth(pid: int) -> Optional[int]:
    """When the process was started, in clock ticks: with its id it names one process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def is_same(pid: int, born: Optional[int]) -> bool:
    return born is not None and birth(pid) == born


def end(pid: int, born: Optional[int], limit: float = STOP_LIMIT) -> bool:
    """Asks it to end, then ends it; whether it was there at all."""
    if not is_same(pid, born):
        return False
    for how, patience in ((signal.SIGTERM, limit), (signal.SIGKILL, limit)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_same(pid, born):
                return True
            time.sleep(STEP)
    return True


class Note:
    """The note of the run that this process is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"run-{os.getpid()}.json"
        self.content: dict[str, Any] = {"demo": [os.getpid(), birth(os.getpid())],
                                        "directories": [], "processes": []}
        self._write()

    def _write(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.content))
        fresh.replace(self.path)

    def directory(self, path: Path) -> None:
        self.content["directories"].append(str(path))
        self._write()

    def process(self, pid: int) -> None:
        self.content["processes"].append([pid, birth(pid)])
        self._write()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _others(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.glob("run-*.json")):
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text())
            if content["demo"][0] != os.getpid():
                yield path, content


def clear_stale(folder: Path) -> int:
    """Ends what dead runs left behind, and removes their directories; how many runs that were."""
    found = 0
    for path, content in _others(folder):
        if is_same(*content["demo"]):
            continue
        for pid, born in reversed(content["processes"]):
            end(pid, born)
        for directory in content["directories"]:
            shutil.rmtree(directory, ignore_errors=True)
        path.unlink(missing_ok=True)
        found += 1
    return found


def stop_all(folder: Path) -> int:
    """Ends every demo that runs, and clears up after those that were killed; how many."""
    running = sum(end(*content["demo"]) for _, content in list(_others(folder)))
    return running + clear_stale(folder)
