# SPDX-License-Identifier: GPL-2.0-or-later
# Holds the simulation's answers against the vendors' published OpenAPI descriptions.
#
# The descriptions are not part of this tree; DEVTRUST_SPECS names the folder. OpenAPI 3.0 is not
# quite JSON Schema: nullable and discriminators are translated here.
"""Validation of responses against OpenAPI 3.0 documents."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any, Iterator, Optional

import jsonschema
import yaml

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        datetime.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return TIME.fullmatch(value) is not None


FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("date-time")(_is_time)


def _one_of(validator: Any, alternatives: list[Any], instance: Any,
            schema: dict[str, Any]) -> Iterator[jsonschema.ValidationError]:
    """oneOf with a discriminator: only the schema that the instance itself names counts."""
    discriminator = schema.get("discriminator")
    if discriminator and isinstance(instance, dict):
        mapping = discriminator["mapping"]
        named = instance.get(discriminator["propertyName"])
        if named not in mapping:
            yield jsonschema.ValidationError(f"{named!r} is no known alternative")
            return
        yield from validator.descend(instance, {"$ref": mapping[named]})
        return
    valid = [a for a in alternatives if validator.evolve(schema=a).is_valid(instance)]
    if len(valid) != 1:
        yield jsonschema.ValidationError(f"{len(valid)} alternatives fit, not one")


Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"oneOf": _one_of})


def _translate(node: Any) -> Any:
    """nullable, wherever it stands, becomes what JSON Schema has for it."""
    if isinstance(node, list):
        return [_translate(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {name: _translate(value) for name, value in node.items()}
    if result.get("nullable") is True and ("type" in result or "allOf" in result):
        del result["nullable"]
        return {"anyOf": [{"type": "null"}, result]}
    return result


class Spec:
    """One OpenAPI document."""

    def __init__(self, path: Path) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.document = yaml.load(path.read_text(), loader)
        self.schemas = {"components": {"schemas": _translate(
            self.document["components"]["schemas"])}}
        self.resolver = jsonschema.RefResolver("", self.schemas)
        self.used: set[tuple[str, str, int]] = set()

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def schema(self, template: str, method: str, status: int) -> Optional[dict[str, Any]]:
        """The schema of a JSON answer; None when the document has no such answer."""
        responses = self.document["paths"][template][method.lower()]["responses"]
        response = self._resolved(responses.get(str(status)))
        if response is None:
            return None
        return response["content"]["application/json"]["schema"]

    def errors(self, template: str, method: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; KeyError when the document does not describe it."""
        schema = self.schema(template, method, status)
        if schema is None:
            raise KeyError(f"{method} {template} {status}")
        self.used.add((method, template, status))
        return self.check(schema, body)

    def check(self, schema: dict[str, Any], body: Any) -> list[str]:
        validator = Validator(_translate(schema), resolver=self.resolver, format_checker=FORMATS)
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
                for e in validator.iter_errors(body)]

    def properties(self, name: str) -> set[str]:
        """Members that a component schema names, through its allOf."""
        schema = self._resolved({"$ref": "#/components/schemas/" + name})
        found = set(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            if "$ref" in part:
                found |= self.properties(part["$ref"].rpartition("/")[2])
            found |= set(part.get("properties", {}))
        return found
