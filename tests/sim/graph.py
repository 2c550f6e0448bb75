# SPDX-License-Identifier: GPL-2.0-or-later
# The part of Microsoft Graph v1.0 that devtrust reads: Intune's managedDevices.
#
# Honours $select to the letter and refuses a property that does not exist, so that a client which
# misspells one finds out here.
"""The simulated Intune tenant behind Graph."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Optional
from urllib.parse import quote

from aiohttp import web

from tests.sim.entra import token_is_live
from tests.sim.state import World, new_device

DEVICES = "/v1.0/deviceManagement/managedDevices"
INTUNE = "0000000a-0000-0000-c000-000000000000"  # its application id, the same in every tenant
ENDPOINTS = f"/v1.0/servicePrincipals/appId={INTUNE}/endpoints"
CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#deviceManagement/managedDevices"
PROPERTIES = tuple(new_device(str(uuid.UUID(int=1))))
# Only a single GET that selects them returns these; everything else shows them empty.
SINGLE_ONLY = {"ethernetMacAddress": None, "physicalMemoryInBytes": 0, "notes": None, "udid": None}
FILTER = re.compile(r"\s*(azureADDeviceId|serialNumber|userPrincipalName|deviceName|id)"
                    r"\s+eq\s+'((?:[^']|'')*)'\s*")
CODES = {400: "BadRequest", 401: "InvalidAuthenticationToken", 403: "Forbidden",
         404: "ResourceNotFound", 405: "BadRequest", 429: "TooManyRequests",
         500: "InternalServerError", 503: "ServiceUnavailable"}


class GraphError(Exception):
    """An answer in Graph's error shape."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.code = code or CODES.get(status, "UnknownError")


def error_body(code: str, message: str) -> dict[str, Any]:
    identifier = str(uuid.uuid4())
    return {"error": {"code": code, "message": message, "innerError": {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        "request-id": identifier, "client-request-id": identifier}}}


def error_response(error: GraphError) -> web.Response:
    response = web.json_response(error_body(error.code, error.message), status=error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="", error="invalid_token"'
    return response


class GraphApi:
    """Handlers; the names of the routes are the names of the counters."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("GET", DEVICES, self.list_devices, name="devices")
        app.router.add_route("GET", DEVICES + "/{device}", self.get_device, name="device")
        app.router.add_route("GET", ENDPOINTS, self.list_endpoints, name="endpoints")

    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if not token_is_live(self.world, request.headers.get("Authorization")):
                raise GraphError(401, "Access token is missing, unknown or has expired.")
            return await handler(request)
        except GraphError as error:
            return error_response(error)
        except web.HTTPNotFound:
            return error_response(GraphError(404, "Resource not found for the segment."))
        except web.HTTPMethodNotAllowed:
            return error_response(GraphError(405, "Method not allowed."))

    def decorate(self, response: web.StreamResponse) -> None:
        response.headers["request-id"] = str(uuid.uuid4())
        response.headers.setdefault("OData-Version", "4.0")

    async def get_device(self, request: web.Request) -> web.Response:
        key = request.match_info["device"]
        try:
            found = self.world.devices.get(str(uuid.UUID(key)))
        except ValueError:
            raise GraphError(400, f"Invalid device id {key}.") from None
        if found is None:
            raise GraphError(404, f"Device with id {key} was not found.")
        selected = self._selected(request)
        context = CONTEXT + (f"({','.join(selected)})" if selected else "") + "/$entity"
        hidden = () if selected else SINGLE_ONLY
        return web.json_response({"@odata.context": context, **_shown(found, selected, hidden)},
                                 content_type="application/json")

    async def list_endpoints(self, request: web.Request) -> web.Response:
        places = {"NACAPIService": "https://fef.example.manage.microsoft.com/StatelessNACService",
                  "ComplianceRetrievalService": self.world.compliance_url}
        return web.json_response({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#endpoints",
            "value": [{"id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "deletedDateTime": None,
                       "capability": name, "providerId": INTUNE, "providerName": name,
                       "uri": uri, "providerResourceId": name}
                      for name, uri in places.items()]})

    @staticmethod
    def _selected(request: web.Request) -> Optional[list[str]]:
        if "$select" not in request.query:
            return None
        names = [n.strip() for n in request.query["$select"].split(",")]
        for name in names:
            if name not in PROPERTIES:
                raise GraphError(400, f"Could not find a property named '{name}' on type "
                                      "'microsoft.graph.managedDevice'.")
        return names

    async def list_devices(self, request: web.Request) -> web.Response:
        selected = self._selected(request)
        matching = self._filtered(request.query.get("$filter"))
        start, size = self._page(request)
        reply: dict[str, Any] = {"@odata.context": CONTEXT}
        if self.world.org.empty_first_page and "$skiptoken" not in request.query:
            size = 0
        reply["value"] = [_shown(d, selected, SINGLE_ONLY) for d in matching[start:start + size]]
        if start + size < len(matching):
            reply["@odata.nextLink"] = self._next_link(request, start + size)
        return web.json_response(reply)

    def _filtered(self, text: Optional[str]) -> list[dict[str, Any]]:
        devices = list(self.world.devices.values())
        if text is None:
            return devices
        match = FILTER.fullmatch(text)
        if match is None:
            raise GraphError(400, "Invalid filter clause.")
        name, value = match[1], match[2].replace("''", "'").lower()
        return [d for d in devices if str(d[name] or "").lower() == value]

    def _page(self, request: web.Request) -> tuple[int, int]:
        try:
            start = int(request.query.get("$skiptoken", "0"))
            size = int(request.query.get("$top", str(self.world.org.devices_page_size)))
        except ValueError:
            raise GraphError(400, "Invalid $skiptoken or $top.") from None
        if start < 0 or size < 1:
            raise GraphError(400, "Invalid $skiptoken or $top.")
        return start, min(size, self.world.org.devices_page_size)

    @staticmethod
    def _next_link(request: web.Request, start: int) -> str:
        kept = [f"{name}={quote(value, safe='')}" for name, value in request.query.items()
                if name != "$skiptoken"]
        return (f"https://{request.host}{request.rel_url.raw_path}?"
                + "&".join(kept + [f"$skiptoken={start}"]))


def _shown(device: dict[str, Any], selected: Optional[list[str]],
           hidden: Any) -> dict[str, Any]:
    return {name: (hidden[name] if name in hidden else device[name])
            for name in (selected or PROPERTIES)}
