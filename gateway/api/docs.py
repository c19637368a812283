"""``/docs``: the API to browse, without a word to the outside. Swagger UI's files come from a PyPI package."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
PATHS: Final = frozenset({"/docs", *(f"/docs/{name}" for name in _TYPES)})

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """Swagger UI over ``/openapi.json``."""
    answer = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=f"{request.app.title} control API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )
    answer.headers["content-security-policy"] = _policy(bytes(answer.body))
    return answer


def _policy(html: bytes) -> str:
    """Only this server's files, and the script that is in the page itself, by its digest."""
    scripts = (base64.b64encode(sha256(each).digest()).decode() for each in _SCRIPT.findall(html))
    allowed = " ".join(f"'sha256-{digest}'" for digest in scripts)
    return (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def _asset(name: str) -> None:
    @router.get(f"/docs/{name}")
    async def asset() -> Response:
        content = files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(content, media_type=_TYPES[name], headers={"Cache-Control": "max-age=86400"})


for _name in _TYPES:
    _asset(_name)
