# SPDX-License-Identifier: GPL-2.0-or-later
# The control API: how a test or the demo plays the people, the administrator and the bad luck.
#
# Plain HTTP on a loopback port, JSON both ways. README.md has the table. A request that makes no
# sense gets 400 and a sentence, so that a slip in a test is not taken for a result.
"""The control API of the simulation."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import uuid
from typing import Any, Awaitable, Callable

from aiohttp import web

from tests.sim.browser import listed, sign_in
from tests.sim.faults import Fault, Faults
from tests.sim.server import Listener, Log
from tests.sim.state import Factor, Push, SimError, User, World

WAIT_MAX = 120.0  # longest long poll, seconds
LOOK_EVERY = 0.02  # seconds between two looks of a long poll
LISTED_MAX = 5000  # most requests in one listing

Values = dict[str, Any]


class Control:
    """Handlers of the control API."""

    def __init__(self, world: World, faults: Faults, log: Log,
                 listeners: dict[str, Listener]) -> None:
        self.world, self.faults, self.log, self.listeners = world, faults, log, listeners
        self.app = web.Application(middlewares=[self._guard])
        for method, path, handler in (
                ("GET", "/health", self.get_health), ("POST", "/reset", self.post_reset),
                ("GET", "/org", self.get_org), ("PUT", "/org", self.put_org),
                ("GET", "/users", self.get_users), ("GET", "/users/{login:[^/]+}", self.get_user),
                ("PUT", "/users/{login:[^/]+}", self.put_user),
                ("DELETE", "/users/{login:[^/]+}", self.delete_user),
                ("PUT", "/users/{login:[^/]+}/push", self.put_push),
                ("GET", "/users/{login:[^/]+}/passcode", self.get_passcode),
                ("POST", "/users/{login:[^/]+}/factors", self.post_factor),
                ("PUT", "/users/{login:[^/]+}/factors/{factor}", self.put_factor),
                ("DELETE", "/users/{login:[^/]+}/factors/{factor}", self.delete_factor),
                ("GET", "/authn", self.get_authn), ("GET", "/pushes", self.get_pushes),
                ("POST", "/pushes/answer", self.post_answer),
                ("GET", "/grants", self.get_grants), ("POST", "/grants/answer", self.post_grant),
                ("GET", "/devices", self.get_devices),
                ("PUT", "/devices/{device}", self.put_device),
                ("DELETE", "/devices/{device}", self.delete_device),
                ("GET", "/okta-devices", self.get_okta_devices),
                ("PUT", "/okta-devices/{device}", self.put_okta_device),
                ("DELETE", "/okta-devices/{device}", self.delete_okta_device),
                ("POST", "/fleet", self.post_fleet),
                ("POST", "/policies", self.post_policy), ("POST", "/zones", self.post_zone),
                ("POST", "/apps", self.post_app), ("PUT", "/groups/{group:[^/]+}", self.put_group),
                ("POST", "/groups", self.post_group),
                ("POST", "/tokens/revoke", self.post_revoke),
                ("GET", "/requests", self.get_requests),
                ("DELETE", "/requests", self.delete_requests),
                ("GET", "/faults", self.get_faults), ("POST", "/faults", self.post_fault),
                ("DELETE", "/faults", self.delete_faults),
                ("DELETE", "/faults/{fault}", self.delete_fault),
                ("PUT", "/listeners/{listener}", self.put_listener)):
            self.app.router.add_route(method, path, self._json(handler))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            return await handler(request)
        except (SimError, ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=400)

    @staticmethod
    def _json(handler: Callable[[web.Request, Values], Awaitable[Any]]) -> Any:
        """Reads the body, if any, and answers with what the handler returns."""
        async def wrapped(request: web.Request) -> web.Response:
            raw = await request.read()
            values = json.loads(raw) if raw else {}
            if not isinstance(values, dict):
                raise SimError("the body is no JSON object")
            return web.json_response(await handler(request, values))
        return wrapped

    # --- the whole ---------------------------------------------------------------------------

    async def get_health(self, request: web.Request, values: Values) -> Any:
        return {"ok": True}

    async def post_reset(self, request: web.Request, values: Values) -> Any:
        self.world.clear()
        self.faults.set.clear()
        self.log.clear()
        for listener in self.listeners.values():
            if (listener.state, listener.certificate) != ("up", "good"):
                await listener.set("up", "good")
        return {}

    async def get_org(self, request: web.Request, values: Values) -> Any:
        return dataclasses.asdict(self.world.org)

    async def put_org(self, request: web.Request, values: Values) -> Any:
        self.world.org.change(values)
        return dataclasses.asdict(self.world.org)

    async def put_listener(self, request: web.Request, values: Values) -> Any:
        listener = self.listeners[request.match_info["listener"]]
        await listener.set(values.get("state", listener.state),
                           values.get("certificate", listener.certificate))
        return {"state": listener.state, "certificate": listener.certificate}

    # --- people ------------------------------------------------------------------------------

    def _user(self, request: web.Request) -> User:
        return self.world.user(request.match_info["login"])

    async def get_users(self, request: web.Request, values: Values) -> Any:
        return [_user_json(u) for u in self.world.logins.values()]

    async def get_user(self, request: web.Request, values: Values) -> Any:
        return _user_json(self._user(request))

    async def put_user(self, request: web.Request, values: Values) -> Any:
        return _user_json(self.world.put_user(request.match_info["login"], values))

    async def delete_user(self, request: web.Request, values: Values) -> Any:
        self.world.remove_user(request.match_info["login"])
        return {}

    async def get_authn(self, request: web.Request, values: Values) -> Any:
        """Logins whose transaction is open; X-Forwarded-For of every call. No secret."""
        return {"open": sorted(self.world.transactions.values()),
                "forwarded_for": self.world.forwarded_for, "hurried": self.world.hurried,
                "secrets": [*self.world.mfa_tokens, *self.world.out_of_band]}

    async def put_push(self, request: web.Request, values: Values) -> Any:
        self.world.set_push(self._user(request), values)
        return _user_json(self._user(request))

    async def get_passcode(self, request: web.Request, values: Values) -> Any:
        return self.world.passcode(self._user(request),
                                   request.query.get("type", "token:software:totp"))

    async def post_factor(self, request: web.Request, values: Values) -> Any:
        return _factor_json(self.world.add_factor(self._user(request), values))

    async def put_factor(self, request: web.Request, values: Values) -> Any:
        user = self._user(request)
        old = user.factors[request.match_info["factor"]]
        kept = {"type": old.factor_type, "id": old.id, "provider": old.provider,
                "status": old.status, "profile": old.profile, "secret": old.secret}
        new = self.world.add_factor(user, {**kept, **values})
        if new.secret == old.secret:
            new.last_step = old.last_step  # a used passcode stays used
            new.steps_ahead = old.steps_ahead
        return _factor_json(new)

    async def delete_factor(self, request: web.Request, values: Values) -> Any:
        self.world.remove_factor(self._user(request), request.match_info["factor"])
        return {}

    # --- pushes ------------------------------------------------------------------------------

    async def get_pushes(self, request: web.Request, values: Values) -> Any:
        login, result = request.query.get("user", ""), request.query.get("result", "")
        least = int(request.query.get("count", "1" if "wait" in request.query else "0"))
        await self._until(lambda: len(self.world.list_pushes(login, result)) >= least,
                          float(request.query.get("wait", "0")))
        return [_push_json(p) for p in self.world.list_pushes(login, result)]

    async def post_answer(self, request: web.Request, values: Values) -> Any:
        """Answers what is pending, or what becomes pending within `wait` seconds."""
        login, answer = values["user"], values["answer"]
        if answer not in ("approve", "deny"):
            raise SimError("answer is approve or deny")
        self.world.user(login)
        await self._until(lambda: bool(self.world.list_pushes(login, "WAITING")),
                          float(values.get("wait", 0)))
        answered = self.world.answer_pushes(login, answer, values.get("number"),
                                            values.get("factor", ""))
        if not answered:
            raise SimError(f"no push is pending for {login}")
        return [_push_json(p) for p in answered]

    async def get_grants(self, request: web.Request, values: Values) -> Any:
        return listed(self.world)

    async def post_grant(self, request: web.Request, values: Values) -> Any:
        """Somebody signs in with a code that is open, or becomes so within `wait` seconds."""
        await self._until(lambda: any(g["open"] for g in listed(self.world)),
                          float(values.pop("wait", 0)))
        sign_in(self.world, values.pop("user"), values.pop("answer"), values.pop("code", ""),
                values)
        return {}

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Returns when it holds or the time is up; the caller sees which."""
        end = time.monotonic() + min(seconds, WAIT_MAX)
        while not condition() and time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)

    # --- devices and tokens ------------------------------------------------------------------

    async def get_devices(self, request: web.Request, values: Values) -> Any:
        return list(self.world.devices.values())

    async def put_device(self, request: web.Request, values: Values) -> Any:
        return self.world.put_device(request.match_info["device"], values)

    async def delete_device(self, request: web.Request, values: Values) -> Any:
        self.world.remove_device(request.match_info["device"])
        return {}

    async def get_okta_devices(self, request: web.Request, values: Values) -> Any:
        return list(self.world.okta_devices.values())

    async def put_okta_device(self, request: web.Request, values: Values) -> Any:
        return self.world.put_okta_device(request.match_info["device"], values)

    async def delete_okta_device(self, request: web.Request, values: Values) -> Any:
        self.world.remove_okta_device(request.match_info["device"])
        return {}

    async def post_fleet(self, request: web.Request, values: Values) -> Any:
        """That many devices at once, with names and addresses of their own."""
        for number in range(1, values["count"] + 1):
            self.world.put_device(str(uuid.UUID(int=number)), {
                "wiFiMacAddress": f"0050{number:08x}", "deviceName": f"FLEET-{number}"})
        return {"count": len(self.world.devices)}

    # --- policies, zones, applications, groups -----------------------------------------------

    async def post_policy(self, request: web.Request, values: Values) -> Any:
        return self.world.catalogue.put_policy(values).body

    async def post_zone(self, request: web.Request, values: Values) -> Any:
        return self.world.catalogue.put_zone(values)

    async def post_app(self, request: web.Request, values: Values) -> Any:
        return self.world.catalogue.put_app(values)

    async def put_group(self, request: web.Request, values: Values) -> Any:
        return {"id": self.world.group_id(request.match_info["group"])}

    async def post_group(self, request: web.Request, values: Values) -> Any:
        return {"id": self.world.add_group(str(values["name"]), str(values["type"]))}

    async def post_revoke(self, request: web.Request, values: Values) -> Any:
        count = len(self.world.access_tokens) + len(self.world.okta_tokens)
        self.world.access_tokens.clear()
        self.world.okta_tokens.clear()
        return {"revoked": count}

    # --- requests and faults -----------------------------------------------------------------

    async def get_requests(self, request: web.Request, values: Values) -> Any:
        limit = min(int(request.query.get("limit", "1000")), LISTED_MAX)
        endpoint = request.query.get("endpoint", "")
        chosen = [r for r in self.log.requests if not endpoint or r["endpoint"] == endpoint]
        return {"counters": dict(self.log.counters), "requests": chosen[-limit:] if limit else [],
                "in_flight": self.log.in_flight, "peak_in_flight": self.log.peak_in_flight,
                "connections": {n: x.connections for n, x in self.listeners.items()}}

    async def delete_requests(self, request: web.Request, values: Values) -> Any:
        self.log.clear()
        return {}

    async def get_faults(self, request: web.Request, values: Values) -> Any:
        return [_fault_json(f) for f in self.faults.set]

    async def post_fault(self, request: web.Request, values: Values) -> Any:
        return _fault_json(self.faults.add(values))

    async def delete_faults(self, request: web.Request, values: Values) -> Any:
        self.faults.set.clear()
        return {}

    async def delete_fault(self, request: web.Request, values: Values) -> Any:
        self.faults.remove(int(request.match_info["fault"]))
        return {}


def _factor_json(factor: Factor) -> Values:
    return {"id": factor.id, "type": factor.factor_type, "provider": factor.provider,
            "status": factor.status, "profile": factor.profile, "secret": factor.secret}


def _user_json(user: User) -> Values:
    return {"id": user.id, "login": user.login, "status": user.status, "groups": user.groups,
            "push": {"mode": user.push_mode, "after": user.push_after},
            "factors": [_factor_json(f) for f in user.factors.values()]}


def _push_json(push: Push) -> Values:
    return {"id": push.id, "user": push.user.login, "factor": push.factor.id,
            "result": push.result(time.time()), "number": push.number, "polls": push.polls,
            "created": push.created, "expires": push.expires, "mode": push.mode}


def _fault_json(fault: Fault) -> Values:
    return dataclasses.asdict(fault)
