"""Errors in the shape that Descope gives them (docs.descope.com, Common Errors)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2 import OAuth2Error
from flask import Response, jsonify

#: Descope's codes that the stand-in uses, with the HTTP status and description of each.
CODES: dict[str, tuple[int, str]] = {
    "E011002": (400, "Request is missing required arguments"),
    "E011003": (400, "Request is invalid"),
    "E011004": (400, "Request has invalid arguments"),
    "E011008": (401, "Project not found"),
    "E024104": (400, "Failed to save permission, permission ID or Name already exist"),
    "E024209": (400, "Failed to save role, role ID or Name already exist"),
    "E061002": (401, "Refresh token expired"),
    "E061003": (401, "Refresh token revoked or not found"),
    "E061004": (401, "Unauthorized request"),
    "E061005": (401, "Invalid token"),
    "E062107": (400, "User already exists"),
    "E062802": (401, "Missing access key"),
    "E062803": (401, "Invalid access key"),
    "E064006": (400, "JWT family ID invalidated, cannot use this token"),
    "E073307": (400, "tenant ID or Name already exist"),
    "E103003": (404, "Failed loading flow by ID"),
    "E111303": (404, "Permission not found"),
    "E111403": (404, "Role not found"),
    "E111502": (404, "Access key not found"),
    "E112102": (404, "User not found"),
    "E112202": (404, "Tenant not found"),
    "E112302": (404, "Application not found"),
    "E130429": (429, "API rate limit exceeded"),
}
#: What Descope says beside an error of OAuth's.
OAUTH_CODES = {"invalid_client": "E061004", "invalid_grant": "E061003", "invalid_token": "E061005"}


class DescopeError(OAuth2Error):
    """A refusal in Descope's words: one of `CODES`, and what exactly is wrong.

    To OpenID Connect clients it is an invalid grant.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, error="invalid_grant")
        self.code = code
        self.message = message

    def body(self) -> dict[str, Any]:
        return {
            "errorCode": self.code,
            "errorDescription": CODES[self.code][1],
            "errorMessage": self.message,
            "message": self.message,
        }

    def response(self, status: int | None = None) -> Response:
        response = jsonify(self.body())
        response.status_code = status or CODES[self.code][0]
        return response


class NotLetIn(Exception):
    """Somebody cannot go on this way; the message is a sentence for them."""
