# SPDX-License-Identifier: GPL-2.0-or-later
# Intune's Compliance Retrieval service, as the public tools of Cisco ISE's users show it: one
# question, by Intune device id, answered in XML. It takes tokens for "Microsoft Intune API" alone.
#
# What it says of a device that it does not know, and of one within its grace period, no public
# source tells: here the list is empty, and the device is compliant, as Entra calls it.
"""The simulated Compliance Retrieval service."""

from __future__ import annotations

import uuid
from typing import Any, Optional
from xml.sax.saxutils import escape

from aiohttp import web

from tests.sim.entra import COMPLIANCE_SCOPE, token_is_live
from tests.sim.state import World

PATH = "/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService"
SPACE = ("http://schemas.datacontract.org/2004/07/"
         "Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model")
QUESTION = {"paging": "0", "querycriteria": "guid", "filter": "all"}
COMPLIANT = ("compliant", "inGracePeriod")


def answer(devices: str) -> str:
    return ('<ise_api xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
            f'xmlns="{SPACE}"><name>attributes</name><api_version>3</api_version>'
            f"<deviceList>{devices}</deviceList></ise_api>")


def entry(device: str, registered: str, status: str, inner: Optional[str] = None) -> str:
    return (f"<device><guid>{escape(device)}</guid><Attributes>"
            f"<guid>{escape(device if inner is None else inner)}</guid>"
            f"<register_status>{registered}</register_status>"
            f"<Compliance><status>{status}</status></Compliance></Attributes></device>")


def words(holds: bool) -> str:
    return "true" if holds else "false"


class ComplianceApi:
    """The one handler; its route's name is the name of its counter."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("GET", PATH + "/cisco/devices/", self.get_device, name="device")

    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if not token_is_live(self.world, request.headers.get("Authorization"),
                                 COMPLIANCE_SCOPE):
                return web.Response(status=401, text="")
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            return web.Response(status=error.status, text="")

    def decorate(self, response: web.StreamResponse) -> None:
        response.headers.setdefault("Cache-Control", "no-cache")

    async def get_device(self, request: web.Request) -> web.Response:
        wanted = {**QUESTION, "value": request.query.get("value", "")}
        accepted = request.headers.get("Accept")
        try:
            key = str(uuid.UUID(wanted["value"]))
        except ValueError:
            return web.Response(status=400, text="")
        if dict(request.query) != wanted or accepted != "application/xml":
            return web.Response(status=400, text="")
        found = self.world.devices.get(key)
        devices = "" if found is None else entry(
            key, words(found["managementState"] == "managed"),
            words(found["complianceState"] in COMPLIANT))
        return web.Response(text=answer(devices), content_type="application/xml")
