"""A request as far as a notebook may know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest


def request_from(told: Mapping[str, Any]) -> HTTPServerRequest:
    """The GET request with this `uri`, `protocol`, `host` and these `headers`."""
    request = HTTPServerRequest(
        method="GET", uri=told["uri"], headers=HTTPHeaders(told["headers"]), host=told["host"]
    )
    request.protocol = told["protocol"]
    return request
