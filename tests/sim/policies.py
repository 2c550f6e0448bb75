# SPDX-License-Identifier: GPL-2.0-or-later
# The read-only part of the Okta management API that an import asks: policies, their rules and
# mappings, network zones, groups and applications.
#
# What a test puts in is given back as it is, so that every shape that Okta's own examples have can
# be played; only what Okta itself adds (ids, times, links) is filled in.
"""Policies, zones, groups and applications of the simulated Okta org."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from aiohttp import web

from tests.sim.okta import OktaApi, OktaError, link
from tests.sim.simulate import Context, simulate
from tests.sim.state import Catalogue, Policy, okta_time

FILTER = re.compile(r'id eq "([A-Za-z0-9]+)"')
SEARCH_NAME = re.compile(r'profile\.name eq "((?:[^"\\]|\\.)*)"')


class PolicyApi(OktaApi):
    """The org with its policies; the names of the routes are the names of the counters."""

    @property
    def catalogue(self) -> Catalogue:
        return self.world.catalogue

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        policy = "/api/v1/policies/{policy}"
        for path, handler, name in (
                ("/api/v1/policies", self.get_policies, "policies"),
                (policy, self.get_policy, "policy"),
                (policy + "/rules", self.get_rules, "rules"),
                (policy + "/mappings", self.get_mappings, "mappings"),
                ("/api/v1/zones", self.get_zones, "zones"),
                ("/api/v1/groups", self.list_groups, "groups-list"),
                ("/api/v1/groups/{group}", self.get_group, "group"),
                ("/api/v1/apps", self.get_apps, "apps"),
                ("/api/v1/apps/{app}", self.get_app, "app"),
                ("/api/v1/apps/{app}/users/{user}", self.get_app_user, "app_user")):
            app.router.add_route("GET", path, handler, name=name)
        app.router.add_route("POST", "/api/v1/policies/simulate", self.post_simulate,
                             name="simulate")

    # --- lists and pages ---------------------------------------------------------------------

    def _list(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        """One page, with separate Link lines for itself and the next one."""
        most = self.world.org.policies_page_size
        try:
            size = max(1, min(int(request.query.get("limit", most)), most))
            after = max(0, int(request.query.get("after", "0")))
        except ValueError:
            raise OktaError("E0000001", "limit", ("limit or after is no number",)) from None
        response = web.json_response(items[after:after + size])
        address = f"https://{request.host}{request.rel_url.raw_path}"
        kept = {k: v for k, v in request.query.items() if k not in ("limit", "after")}
        rest = "".join(f"&{k}={quote(v, safe='')}" for k, v in kept.items())
        response.headers.add("link", f'<{address}?limit={size}{rest}>; rel="self"')
        if after + size < len(items):
            cursor = f"{address}?after={after + size}&limit={size}{rest}"
            response.headers.add("link", f'<{cursor}>; rel="next"')
        return response

    @staticmethod
    def _base(request: web.Request) -> str:
        return f"https://{request.host}/api/v1"

    # --- policies ----------------------------------------------------------------------------

    def _policy(self, request: web.Request) -> Policy:
        key = request.match_info["policy"]
        if key not in self.catalogue.policies:
            raise OktaError("E0000007", key + " (Policy)")
        return self.catalogue.policies[key]

    def _policy_json(self, request: web.Request, policy: Policy) -> dict[str, Any]:
        address = f"{self._base(request)}/policies/{policy.body['id']}"
        links = {"self": link(address, "GET", "PUT"),
                 "rules": link(address + "/rules", "GET", "POST")}
        if policy.body["type"] == "ACCESS_POLICY":
            links["mappings"] = link(address + "/mappings", "GET", "POST")
        return {**policy.body, "_links": links}

    async def get_policies(self, request: web.Request) -> web.Response:
        kind = request.query.get("type")
        if not kind:
            raise OktaError("E0000001", "type", ("The policy type is required",))
        return self._list(request, [self._policy_json(request, p)
                                    for p in self.catalogue.policies.values()
                                    if p.body["type"] == kind])

    async def get_policy(self, request: web.Request) -> web.Response:
        return web.json_response(self._policy_json(request, self._policy(request)))

    async def get_rules(self, request: web.Request) -> web.Response:
        policy = self._policy(request)
        address = f"{self._base(request)}/policies/{policy.body['id']}/rules/"
        return self._list(request, [{**rule, "_links": {"self": link(address + rule["id"], "GET")}}
                                    for rule in policy.rules])

    async def get_mappings(self, request: web.Request) -> web.Response:
        policy, base = self._policy(request), self._base(request)
        address = f"{base}/policies/{policy.body['id']}"
        return self._list(request, [
            {"id": "map" + app[3:],
             "_links": {"application": link(f"{base}/apps/{app}", "GET"),
                        "policy": link(address, "GET"),
                        "self": link(f"{address}/mappings/map{app[3:]}", "GET", "DELETE")}}
            for app in policy.apps])

    async def post_simulate(self, request: web.Request) -> web.Response:
        """Strict about the request: exactly one of user and groups, types as the API has them."""
        try:
            asked = json.loads(await request.read())
            one, = asked
            supposed = one["policyContext"]
            if ("user" in supposed) == ("groups" in supposed):
                raise OktaError("E0000001", "policyContext", ("one of user and groups",))
            if one.get("policyTypes") != ["ACCESS_POLICY"]:
                raise OktaError("E0000001", "policyTypes", ("only ACCESS_POLICY is simulated",))
            for member in ("registered", "managed"):
                if not isinstance(supposed.get("device", {}).get(member, True), bool):
                    raise OktaError("E0000001", "device", (member + " is no boolean",))
            at = Context(supposed, list(self.catalogue.zones.values()), self._groups_of)
        except (ValueError, TypeError, KeyError):
            raise OktaError("E0000003") from None
        if one["appInstance"] not in self.catalogue.apps:
            raise OktaError("E0000007", str(one["appInstance"]) + " (AppInstance)")
        policy = self.catalogue.policies[self.catalogue.policy_of(one["appInstance"])]
        result = simulate(policy.body, policy.rules, at)
        if self.world.org.simulation_as_in_examples:
            return web.json_response([{"evaluation": [{**result, "policyType": "ACCESS_POLICY"}]}])
        return web.json_response([result])

    def _groups_of(self, user: str) -> set[str]:
        for person in self.world.users.values():
            if person.id == user:
                return {self.world.group_json(g)["id"] for g in person.groups}
        raise OktaError("E0000007", user + " (User)")

    # --- zones -------------------------------------------------------------------------------

    async def get_zones(self, request: web.Request) -> web.Response:
        zones = list(self.catalogue.zones.values())
        if "filter" in request.query:
            wanted = FILTER.findall(request.query["filter"])
            if not wanted:
                raise OktaError("E0000001", "filter", ("only id eq \"...\" is simulated",))
            zones = [z for z in zones if z["id"] in wanted]
        base = self._base(request)
        return self._list(request, [
            {**z, "_links": {"self": link(f"{base}/zones/{z['id']}", "GET", "PUT", "DELETE")}}
            for z in zones])

    # --- groups and applications -------------------------------------------------------------

    async def get_group(self, request: web.Request) -> web.Response:
        key = request.match_info["group"]
        for name, number in self.world.group_ids.items():
            if number == key:
                return web.json_response(self.world.group_json(name))
        raise OktaError("E0000007", key + " (UserGroup)")

    async def list_groups(self, request: web.Request) -> web.Response:
        """Those whose name begins with `q`, or is exactly that of search=profile.name eq "..."."""
        groups = [self.world.group_json(name) for name in self.world.group_ids]
        search = request.query.get("search")
        if search is not None:
            asked = SEARCH_NAME.fullmatch(search)
            if asked is None:
                raise OktaError("E0000031", search)
            wanted = re.sub(r"\\(.)", r"\1", asked.group(1)).lower()
            groups = [g for g in groups if g["profile"]["name"].lower() == wanted]
        start = request.query.get("q", "").lower()
        return self._list(request, [g for g in groups
                                    if g["profile"]["name"].lower().startswith(start)])

    def _app_json(self, request: web.Request, app: dict[str, Any]) -> dict[str, Any]:
        base = self._base(request)
        links = {"self": link(f"{base}/apps/{app['id']}", "GET", "PUT")}
        policy = self.catalogue.policy_of(app["id"])
        if policy is not None and self.world.org.link_access_policy:
            links["accessPolicy"] = {"href": f"{base}/policies/{policy}"}
        return {**app, "_links": links}

    async def get_apps(self, request: web.Request) -> web.Response:
        wanted = request.query.get("q", "").lower()
        return self._list(request, [self._app_json(request, a)
                                    for a in self.catalogue.apps.values()
                                    if a["label"].lower().startswith(wanted)])

    async def get_app(self, request: web.Request) -> web.Response:
        key = request.match_info["app"]
        if key not in self.catalogue.apps:
            raise OktaError("E0000007", key + " (AppInstance)")
        return web.json_response(self._app_json(request, self.catalogue.apps[key]))

    async def get_app_user(self, request: web.Request) -> web.Response:
        key, user = request.match_info["app"], self.world.users.get(request.match_info["user"])
        if key not in self.catalogue.apps:
            raise OktaError("E0000007", key + " (AppInstance)")
        found = self.catalogue.assignment(key, user) if user is not None else None
        if user is None or found is None:
            raise OktaError("E0000007", request.match_info["user"] + " (AppUser)")
        moment = okta_time(user.created)
        return web.json_response({
            "id": user.id, "externalId": None, "created": moment, "lastUpdated": moment,
            "scope": found[0], "status": found[1], "statusChanged": moment,
            "passwordChanged": None, "syncState": "DISABLED",
            "credentials": {"userName": user.login}, "profile": {},
            "_links": {"user": link(f"{self._base(request)}/users/{user.id}", "GET"),
                       "app": link(f"{self._base(request)}/apps/{key}", "GET")}})
