# SPDX-License-Identifier: GPL-2.0-or-later
# Starts the simulation: python3 -m tests.sim --dir DIR, or by path. Ends on SIGTERM or SIGINT.
#
# Everything a test needs to know stands in DIR/sim.json, which appears, whole, once every port
# answers.
"""Run the simulated Okta org and Intune tenant."""

from __future__ import annotations

import argparse
import asyncio
import base64
import ctypes
import json
import os
import resource
import secrets
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jwt  # noqa: E402
from aiohttp import web  # noqa: E402

from tests.pki.authority import Authority, make_key, name, write_file  # noqa: E402
from tests.sim.compliance import PATH as COMPLIANCE_PATH  # noqa: E402
from tests.sim.compliance import ComplianceApi  # noqa: E402
from tests.sim.control import Control  # noqa: E402
from tests.sim.entra import EntraApi  # noqa: E402
from tests.sim.faults import Faults  # noqa: E402
from tests.sim.graph import GraphApi  # noqa: E402
from tests.sim.okta_oauth import make_client, thumbprint  # noqa: E402
from tests.sim.policies import PolicyApi  # noqa: E402
from tests.sim.server import ADDRESS, Listener, Log, TlsFiles  # noqa: E402
from tests.sim.state import World  # noqa: E402

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int) -> None:
    """A test runner that is killed must not leave a simulation behind."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


def allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def register_app(world: World, directory: Path) -> dict[str, Any]:
    """An application of the tenant with a certificate, as devtrust is registered for real."""
    client = str(uuid.uuid4())
    signer = Authority.root("devtrust application")
    identity = signer.issue(name("devtrust"), make_key("rsa2048"))
    world.apps[client] = identity.certificate
    world.client_secrets[client] = secrets.token_urlsafe(30)
    return {
        "client_id": client,
        "client_secret_file": str(write_file(directory / "app.secret",
                                             world.client_secrets[client].encode() + b"\n",
                                             0o600)),
        "certificate_file": str(write_file(directory / "app.pem", identity.certificate_pem())),
        "key_file": str(write_file(directory / "app.key", identity.key_pem(), 0o600)),
    }


def register_okta_app(world: World, directory: Path) -> dict[str, Any]:
    """A service app of the org with three keys; the switch oauth_kids says which are active."""
    make_client(world)
    files = {}
    for kid, kind in (("rsa", "rsa2048"), ("ec", "p256"), ("next", "p256")):
        identity = Authority.root("devtrust app").issue(name(kid), make_key(kind))
        world.okta_keys[kid] = identity.key.public_key()
        if kid != "rsa":
            numbers = identity.key.public_key().public_numbers()
            part = [base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode()
                    for n in (numbers.x, numbers.y)]
            world.assertion_thumbprints.add(thumbprint(
                {"kty": "EC", "crv": "P-256", "x": part[0], "y": part[1]}))
        else:
            world.assertion_thumbprints.add(thumbprint(
                json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(identity.key.public_key()))))
        files[kid] = str(write_file(directory / f"okta-{kid}.key", identity.key_pem(), 0o600))
    return {"okta_client_id": world.okta_client, "okta_keys": files,
            "okta_native_client_id": world.native_client}


async def run(options: argparse.Namespace) -> None:
    directory = options.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    world = World(secrets.token_urlsafe(32), options.tenant)
    token_file = write_file(directory / "okta-token", world.okta_token.encode() + b"\n", 0o600)
    app = {**register_app(world, directory), **register_okta_app(world, directory)}
    faults, log, tls = Faults(), Log(), TlsFiles(directory)
    services: dict[str, tuple[Any, int]] = {
        "okta": (PolicyApi(world), options.okta_port),
        "login": (EntraApi(world), options.login_port),
        "graph": (GraphApi(world), options.graph_port),
        "compliance": (ComplianceApi(world), options.compliance_port)}
    listeners = {key: Listener(key, api, faults, log) for key, (api, _) in services.items()}
    for key, (_, port) in services.items():
        await listeners[key].open(tls, port)
    world.compliance_url = listeners["compliance"].url + COMPLIANCE_PATH
    control = web.AppRunner(Control(world, faults, log, listeners).app, access_log=None)
    await control.setup()
    site = web.TCPSite(control, ADDRESS, options.control_port)
    await site.start()
    port = control.addresses[0][1]

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ready = directory / "sim.json"
    write_file(ready, (json.dumps({
        "pid": os.getpid(), "ca_file": str(tls.ca_file),
        "okta_url": listeners["okta"].url, "login_url": listeners["login"].url,
        "graph_url": listeners["graph"].url, "compliance_url": world.compliance_url,
        "control_url": f"http://{ADDRESS}:{port}",
        "okta_token_file": str(token_file), "tenant_id": world.tenant, **app,
    }, indent=2) + "\n").encode())
    await stop.wait()
    ready.unlink(missing_ok=True)
    for listener in listeners.values():
        await listener.shut_down()
    await control.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulated Okta org and Intune tenant.")
    parser.add_argument("--dir", required=True, type=Path, help="where sim.json and keys go")
    parser.add_argument("--tenant", default="72f988bf-0000-4111-8222-00000000feed",
                        help="Entra tenant id")
    for listener in ("okta", "login", "graph", "compliance", "control"):
        parser.add_argument(f"--{listener}-port", type=int, default=0,
                            help="0 = chosen by the kernel")
    parser.add_argument("--parent", type=int, default=0, metavar="PID",
                        help="end when this parent process does")
    options = parser.parse_args()
    if options.parent:
        die_with_parent(options.parent)
    allow_many_connections()
    asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
