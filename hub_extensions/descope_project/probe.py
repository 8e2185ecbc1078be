"""`check --probe`: ten minutes with a real project that settle what its documentation leaves open.

Each fact is one that docs/descope.md lists as not verified; what was learned is printed for that
list. No token, code or secret is ever printed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from descope.management.sso_settings import AttributeMapping, RoleMapping, SSOOIDCSettings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ..settings import Settings
from .desired import Desired, ProjectError
from .project import DEFAULT_APP, Project, Refused, call
from .visit import SECONDS, Learned, Visit, shape, yes, yes_no

_SCRATCH_TENANT: Final = "atrium-probe"
_ALGORITHMS: Final = ["RS256", "ES256", "ES384"]


def run(project: Project, settings: Settings, desired: Desired) -> int:
    """Ask everything, in the order of a visit. Returns the exit status.

    Raises:
        ProjectError: the project does not answer, or the person gave up.
    """
    if not project.client_secret:
        raise ProjectError("DESCOPE_CLIENT_SECRET is not set; descope_project push makes a key")
    visit = Visit(
        project=project,
        client=project.connect(),
        issuer=settings.issuer or f"{project.base_uri}/{project.project_id}",
        client_id=settings.client_id or project.project_id,
        callback=desired.redirects[0],
        signed_out=desired.redirects[1],
    )
    learned: list[Learned] = []
    for part in (documents, management, signing_in, tokens_again, links, signing_out):
        for fact, answer in part(visit):
            learned.append((fact, answer))
            print(f"  {fact}: {answer}")
    print("\nWhat was learned, for docs/descope.md:\n\n| fact | this project |\n|---|---|")
    for fact, answer in learned:
        print(f"| {fact} | {answer} |")
    return 0


def asked(method: str, address: str, **options: Any) -> requests.Response:
    """An answer of the project.

    Raises:
        ProjectError: there is none; what was sent, a token perhaps, is not repeated.
    """
    try:
        return requests.request(method, address, allow_redirects=False, timeout=SECONDS, **options)
    except requests.RequestException as error:
        where = urlsplit(address).netloc
        raise ProjectError(f"{where} does not answer ({type(error).__name__})") from None


def json_of(answer: requests.Response) -> dict[str, Any]:
    """The JSON object in an answer, {} where there is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def documents(visit: Visit) -> Iterator[Learned]:
    """What its discovery document says."""
    print("Documents")
    address = f"{visit.issuer}/.well-known/openid-configuration"
    try:
        answer = asked("GET", address)
        visit.metadata = answer.json()
        said = visit.metadata["issuer"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProjectError(f"there is no discovery document at {address}") from error
    yield "status of the discovery document", str(answer.status_code)
    same = "the address it is under" if said == visit.issuer else said
    yield "issuer in the discovery document", same
    for name in (
        "scopes_supported",
        "token_endpoint_auth_methods_supported",
        "code_challenge_methods_supported",
        "id_token_signing_alg_values_supported",
        "backchannel_logout_supported",
    ):
        yield name, json.dumps(visit.metadata.get(name))
    for name in ("end_session_endpoint", "revocation_endpoint"):
        yield name, "named" if name in visit.metadata else "absent"


def management(visit: Visit) -> Iterator[Learned]:
    """What the management API says, and how it refuses."""
    print("Management API")
    mgmt, project = visit.client.mgmt, visit.project
    wrong = replace(project, management_key="not-a-key")
    yield "answer to a wrong management key", _status(wrong.connect)
    missing = _status(lambda: call(mgmt.tenant.load, _SCRATCH_TENANT))
    yield "answer to a tenant that is not there", missing
    application = call(mgmt.sso_application.load, DEFAULT_APP)
    yield "shape of a loaded application", shape(application)
    settings = application.get("app", application).get("oidcSettings") or {}
    for name in ("claims", "approvedRedirectUrls", "forcePkce", "clientType", "defaultAudience"):
        yield f"application: {name}", "named" if name in settings else "absent"
    try:
        files = call(mgmt.project.export_snapshot)["files"]
        yield "files of a snapshot", ", ".join(sorted(files))[:600]
        answer = call(mgmt.project.validate_snapshot, files)
        unchanged = "accepted" if answer.get("ok") else f"refused: {answer.get('failures')}"
        yield "a snapshot imported as it was exported", unchanged
    except Refused as error:
        yield "snapshot", f"refused: {error}"
    if yes(f"May a tenant {_SCRATCH_TENANT} be made and deleted again?"):
        yield from _scratch_tenant(mgmt)


def _status(function: Callable[[], Any]) -> str:
    try:
        function()
    except Refused as error:
        return f"{error.status} {error.code}"
    except ProjectError as error:
        return str(error.__cause__ or error)[:120]
    return "accepted"


def _scratch_tenant(mgmt: Any) -> Iterator[Learned]:
    call(mgmt.tenant.create, _SCRATCH_TENANT, _SCRATCH_TENANT)
    try:
        example = "https://id.example.invalid"
        settings = SSOOIDCSettings(
            name="probe",
            client_id="probe",
            client_secret="probe",
            issuer=example,
            auth_url=f"{example}/authorize",
            token_url=f"{example}/token",
            jwks_url=f"{example}/keys",
            scope=["openid"],
        )
        call(mgmt.sso.configure_oidc_settings, _SCRATCH_TENANT, settings, ["example.invalid"])
        mapping = [RoleMapping(["probe-group"], "Tenant Admin")]
        call(mgmt.sso.mapping, _SCRATCH_TENANT, mapping, AttributeMapping(group="groups"))
        now = call(mgmt.sso.load_settings, _SCRATCH_TENANT)["oidc"]
        mapped = "yes" if now.get("groupsMapping") else "no: set groups and roles in the console"
        yield "mapping() sets the groups of an OIDC provider", mapped
        group = (now.get("userAttrMapping") or {}).get("group")
        yield "mapping() sets the groups claim", "yes" if group else "no"
        secret = now.get("clientSecret")
        yield "a loaded client secret is", "shown" if secret else "blank"
        settings.client_secret = None
        call(mgmt.sso.configure_oidc_settings, _SCRATCH_TENANT, settings, ["example.invalid"])
        now = call(mgmt.sso.load_settings, _SCRATCH_TENANT)["oidc"]
        kept = "stays" if now.get("groupsMapping") else "is wiped"
        yield "the groups' mapping when OIDC is set again", kept
    except Refused as error:
        yield "single sign-on of a tenant", f"refused: {error}"
    finally:
        call(mgmt.tenant.delete, _SCRATCH_TENANT, True)


def signing_in(visit: Visit) -> Iterator[Learned]:
    """A sign-in from end to end: what the tokens are and hold."""
    print("Signing in")
    pasted, verifier = visit.browse("Open this in a private window and sign in as a member:")
    method = ""
    for method in ("client_secret_basic", "client_secret_post"):
        try:
            visit.tokens = visit.session(method).fetch_token(
                visit.metadata["token_endpoint"],
                authorization_response=pasted,
                code_verifier=verifier,
            )
            break
        except (OAuthError, ValueError, KeyError, requests.RequestException):
            continue
    accepted = method if visit.tokens else "neither way: the code was refused"
    yield "client authentication with a code", accepted
    if not visit.tokens:
        return
    given = sorted(name for name in visit.tokens if name.endswith("_token"))
    yield "tokens without asking for offline_access", ", ".join(given)
    yield "life of the access token", f"{visit.tokens.get('expires_in')} s"
    yield from _id_token(visit)
    headers = {"Authorization": f"Bearer {visit.tokens['access_token']}"}
    endpoint = visit.metadata["userinfo_endpoint"]
    told = json_of(asked("GET", endpoint, headers=headers))
    yield "userinfo", shape(told)
    where = [n for n, c in (("ID token", visit.claims), ("userinfo", told)) if "tenants" in c]
    yield "tenants are in", " and ".join(where) or "neither"
    tenants = visit.claims.get("tenants") or told.get("tenants") or {}
    inside = sorted({shape(tenants[name]) for name in tenants})
    yield "a tenant in the claims holds", ", ".join(inside) or "nothing"
    verified = told.get("email_verified", visit.claims.get("email_verified"))
    yield "email_verified", json.dumps(verified)


def _id_token(visit: Visit) -> Iterator[Learned]:
    document = json_of(asked("GET", visit.metadata["jwks_uri"]))
    try:
        keys = KeySet.import_key_set(document)  # pyright: ignore[reportArgumentType]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProjectError("the project's keys cannot be read") from error
    for name in ("id_token", "access_token"):
        try:
            token = jwt.decode(visit.tokens.get(name, ""), keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError) as error:
            yield name, f"no signed JWT of its keys ({type(error).__name__})"
            continue
        claims = dict(token.claims)
        if name == "id_token":
            visit.claims = claims
        audience = claims.get("aud")
        issuer = claims.get("iss")
        same = "the discovered issuer" if issuer == visit.metadata["issuer"] else "another"
        if issuer == visit.project.project_id:
            same = "the bare project id"
        yield f"{name}: algorithm", str(token.header.get("alg"))
        yield f"{name}: iss", same
        yield f"{name}: aud", "absent" if audience is None else shape(audience)
        if isinstance(claims.get("exp"), int) and isinstance(claims.get("iat"), int):
            yield f"{name}: life", f"{claims['exp'] - claims['iat']} s"
        yield f"{name}: amr", json.dumps(claims.get("amr"))
        yield f"{name}: claims", ", ".join(sorted(claims))


def tokens_again(visit: Visit) -> Iterator[Learned]:
    """Refreshing, and using a refresh token twice."""
    first = visit.tokens.get("refresh_token")
    if not first:
        return
    print("Refreshing")
    session, endpoint = visit.session("client_secret_post"), visit.metadata["token_endpoint"]
    try:
        again = session.refresh_token(endpoint, refresh_token=first)
    except (OAuthError, ValueError, KeyError) as error:
        yield "refresh", f"refused: {type(error).__name__}"
        return
    yield "a refresh brings an ID token", yes_no("id_token" in again)
    rotates = again.get("refresh_token", first) != first
    yield "refresh tokens rotate", yes_no(rotates)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": first,
        "client_id": visit.client_id,
        "client_secret": visit.project.client_secret,
    }
    answer = asked("POST", endpoint, data=form)
    yield "answer to a refresh token used before", _answer(answer)
    form["refresh_token"] = "not-a-token"
    answer = asked("POST", endpoint, data=form)
    yield "answer to a refresh token that is none", _answer(answer)
    visit.tokens |= again


def _answer(answer: requests.Response) -> str:
    """Status and shape of an answer, and the codes in it, which are no secrets."""
    try:
        body = answer.json()
    except ValueError:
        return f"{answer.status_code}, no JSON"
    codes = [
        str(body[n])[:60] for n in ("error", "errorCode") if isinstance(body, dict) and n in body
    ]
    return f"{answer.status_code} {' '.join(codes)} {shape(body)}"


def links(visit: Visit) -> Iterator[Learned]:
    """Magic links and hints, as the person sees them."""
    print("Links")
    for name in ("login_hint", "loginHint"):
        visit.browse(
            f"Open this in another private window. Look whether the address is filled in ({name}), "
            "then sign in by a link:",
            **{name: "probe@example.com"},
        )
        filled = yes_no(yes("Was probe@example.com filled in?"))
        yield f"{name} fills in the address", filled
        if name == "login_hint":
            yield "a link signs in the tab that it opened", yes_no(yes("Was it that tab?"))
            worked = yes("Ask for another link twice, open the first. Did it work?")
            yield "an earlier link works after a resend", yes_no(worked)


def signing_out(visit: Visit) -> Iterator[Learned]:
    """Revoking, and the provider's own sign-out."""
    if not visit.tokens.get("refresh_token"):
        return
    print("Signing out")
    form = {"token": visit.tokens["refresh_token"], "client_id": visit.client_id}
    endpoint = visit.metadata.get("revocation_endpoint", "")
    if endpoint:
        answer = asked("POST", endpoint, data=form)
        yield "revoking without the client's secret", _answer(answer)
        form["client_secret"] = str(visit.project.client_secret)
        answer = asked("POST", endpoint, data=form)
        yield "revoking with id and secret in the form", _answer(answer)
    if "end_session_endpoint" not in visit.metadata:
        return
    query = {
        "id_token_hint": visit.tokens.get("id_token", ""),
        "post_logout_redirect_uri": visit.signed_out,
    }
    answer = asked("POST", visit.metadata["end_session_endpoint"], data=query)
    target = answer.headers.get("Location", "").partition("?")[0]
    known = target if target == visit.signed_out else target and "elsewhere"
    there = f"{answer.status_code} {known or 'no redirect'}"
    yield f"sign-out may end at {visit.signed_out}", there
