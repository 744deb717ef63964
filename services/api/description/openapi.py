"""The OpenAPI description of the API, and a page that shows it without anything from elsewhere."""

from __future__ import annotations

import html
from typing import Any, get_args

from litestar.connection import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from libs.contracts.errors import ApiError
from services.api.description.examples import BODIES
from services.api.messages.new_messages import AnyNewMessage

VERSION = "1"
METHODS = ("get", "post", "put", "patch", "delete")
REFUSED: dict[str, Any] = {
    "title": "Refused",
    "type": "object",
    "required": ["success", "error", "message", "requestId"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "error": {"type": "string", "enum": [code.value for code in ApiError]},
        "message": {"type": "string", "description": "One sentence, in the language of `Accept-Language`."},
        "details": {"type": "object", "description": "For 400: `fields`, each with `path` and `reason`."},
        "requestId": {"type": "string"},
    },
}
REFUSAL: dict[str, Any] = {
    "description": "Refused: `message` is for people, `error` for programs.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h2{margin-top:2.5rem;border-bottom:1px solid #d5dce3}h3{font:600 15px ui-monospace,monospace;margin:1.6rem 0 .2rem}
.m{display:inline-block;min-width:4.5rem;color:#0b6b4f}
code,pre{background:#f3f6f8;border-radius:4px;padding:.1rem .3rem}
table{border-collapse:collapse;font-size:14px}td{padding:.1rem .8rem .1rem 0;vertical-align:top}p{margin:.2rem 0}
"""


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The description with what Litestar cannot know: our refusals, the tags of messages, and examples of the bodies.

    Changes the document, once.
    """
    schemas: dict[str, Any] = document["components"]["schemas"]
    if "Refused" in schemas:
        return document
    schemas["Refused"] = REFUSED
    _add_tags(schemas)
    for item in document["paths"].values():
        for method in METHODS:
            if method in item:
                _complete(item[method])
    return document


def _complete(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("400", None)
    responses["default"] = REFUSAL
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    examples = BODIES.get(operation["operationId"])
    if content is not None and examples is not None:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}


def _add_tags(schemas: dict[str, Any]) -> None:
    """`type` tells which message a body is; msgspec keeps it out of the fields, and so out of the schemas."""
    for message in get_args(AnyNewMessage):
        schema = schemas.get(message.__name__)
        if schema is not None:
            tag = {"type": "string", "const": message.__struct_config__.tag}
            schema["properties"] = {"type": tag, **schema["properties"]}
            schema["required"] = ["type", *schema.get("required", [])]
            schema["additionalProperties"] = False


def openapi_config() -> OpenAPIConfig:
    """Litestar's configuration: `/docs`, `/docs/openapi.json`, `/docs/openapi.yaml`."""
    return OpenAPIConfig(
        title="Merpati",
        version=VERSION,
        description="Self-hosted WhatsApp gateway. The live stream is described at /asyncapi.",
        path="/docs",
        render_plugins=[PlainPage(), JsonDocument(path="/openapi.json"), YamlDocument(path="/openapi.yaml")],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="A sign-in token, or an API key (`gf_...`)."
                ),
                "apiKey": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            }
        ),
        security=[{"bearer": []}, {"apiKey": []}],
        use_handler_docstrings=True,
    )


class JsonDocument(JsonRenderPlugin):
    """The description, completed."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """As JSON."""
        return super().render(request, completed(openapi_schema))


class YamlDocument(YamlRenderPlugin):
    """The same as YAML."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """As YAML."""
        return super().render(request, completed(openapi_schema))


class PlainPage(OpenAPIRenderPlugin):
    """Every operation on one page: plain HTML, no script, nothing fetched from anywhere."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        groups: dict[str, list[str]] = {}
        for path, item in openapi_schema.get("paths", {}).items():
            for method in METHODS:
                if method in item:
                    tag = (item[method].get("tags") or ["Other"])[0]
                    groups.setdefault(tag, []).append(_operation(path, method, item[method]))
        info = openapi_schema["info"]
        body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(found)}" for tag, found in groups.items())
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(info["title"])} API</title>'
            f"<style>{_STYLE}</style><h1>{html.escape(info['title'])} API</h1>"
            f"<p>{html.escape(info.get('description', ''))}</p>"
            '<p>For tools: <a href="/docs/openapi.json">openapi.json</a>, '
            '<a href="/docs/openapi.yaml">openapi.yaml</a>, <a href="/asyncapi">asyncapi</a>.</p>'
            f"{body}</html>"
        ).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(param['name'])}</code></td><td>{html.escape(param['in'])}</td>"
        f"<td>{html.escape(param.get('description') or '')}</td></tr>"
        for param in operation.get("parameters", [])
    )
    body = _body_of(operation)
    return (
        f'<h3 id="{html.escape(operation.get("operationId", ""))}"><span class="m">{method.upper()}</span>'
        f"{html.escape(path)}</h3><p>{html.escape(operation.get('description') or operation.get('summary') or '')}</p>"
        + (f"<p>Body: <code>{html.escape(body)}</code></p>" if body else "")
        + (f"<table>{rows}</table>" if rows else "")
    )


def _body_of(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    names = [str(kind.get("schema", {}).get("$ref", "")).rpartition("/")[2] for kind in content.values()]
    return ", ".join(f"{kind} {name}".strip() for kind, name in zip(content, names, strict=True))
