"""The project as files: its snapshot, and single flows. Both are calls of the management API.

A snapshot is the only way in which the SDK reaches a project's settings, its social providers and
what an application may do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ...flow_formats import files_of, flow_in, from_sdk, to_sdk
from ..errors import DescopeError
from ..flows.flow import FlowError
from ..flows.loading import load_flow
from ..records import (
    DEFAULT_APP,
    Application,
    Flow,
    MagicLinkSettings,
    Permission,
    ProjectSettings,
    Record,
    Role,
    Settings,
    SocialSettings,
    SsoSettings,
)
from ..store import Transaction
from .frame import call, refusal

SETTINGS: Mapping[str, type[Settings]] = {
    "project.json": ProjectSettings,
    "auth/magiclink.json": MagicLinkSettings,
    "auth/oauth.json": SocialSettings,
    "auth/sso.json": SsoSettings,
}
INDEX = "flows/flows.json"


class _Index(Record):
    flows: list[str] = []


class Files(Record):
    files: dict[str, Any]


@call("v1/mgmt/project/snapshot/export")
def export_snapshot(db: Transaction, told: Record) -> dict[str, Any]:
    """All files by their paths. The secrets of providers are blank, as in Descope."""
    files = {path: db.settings(kind).model_dump() for path, kind in SETTINGS.items()}
    for provider in files["auth/oauth.json"]["providerSettings"].values():
        provider["clientSecret"] = ""
    files["applications.json"] = {"applications": [a.model_dump() for a in db.records(Application)]}
    files["permissions.json"] = {
        "permissions": [
            p.model_dump(include={"name", "description"}) for p in db.records(Permission)
        ]
    }
    files["roles.json"] = {
        "roles": [
            {"name": r.name, "description": r.description, "permissions": r.permissionNames}
            for r in db.records(Role)
            if not r.tenantId
        ]
    }
    flows = db.records(Flow)
    files[INDEX] = {"flows": [flow.flowId for flow in flows]}
    for flow in flows:
        files |= files_of(flow.model_dump())
    return {"files": files}


@call("v1/mgmt/project/snapshot/validate", Files)
def validate_snapshot(db: Transaction, told: Files) -> dict[str, Any]:
    """An import that is undone."""
    failures: list[str] = []
    undo = db.begin_nested()
    try:
        import_snapshot(db, told)
    except (DescopeError, FlowError, ValidationError) as error:
        failures.append(refusal(error).message)
    finally:
        undo.rollback()
    return {"ok": not failures, "failures": failures}


@call("v1/mgmt/project/snapshot/import", Files)
def import_snapshot(db: Transaction, told: Files) -> None:
    """Take a snapshot as the project's settings. Files that it lacks change nothing; the lists of
    flows and applications are taken whole, roles and permissions by their names; a secret that
    is blank stays as it was."""
    files = told.files
    for path, body in files.items():
        if not isinstance(body, dict):
            raise DescopeError("E011003", f"{path}: it is no JSON object")
        known = path in SETTINGS or path in {"applications.json", "roles.json", "permissions.json"}
        if not known and not path.startswith("flows/"):
            raise DescopeError("E011003", f"{path}: the local stand-in does not know this file")
    before = db.settings(SocialSettings).providerSettings
    for path in SETTINGS.keys() & files.keys():
        db.keep(SETTINGS[path].model_validate(files[path]))
    social = db.settings(SocialSettings)
    for name, provider in social.providerSettings.items():
        provider.clientSecret = provider.clientSecret or before.get(name, provider).clientSecret
    db.keep(social)
    _import_named(db, files)
    flows = list(_flows_in(files))
    for flow in db.records(Flow) if INDEX in files else ():
        if flow.flowId not in {each.flowId for each in flows}:
            db.drop(flow)
    for flow in flows:
        load_flow(flow)
        db.keep(flow)


def _import_named(db: Transaction, files: Mapping[str, Any]) -> None:
    given = _listed(files, "applications")
    applications = {a.id: a for a in (Application.model_validate(each) for each in given)}
    for application in db.records(Application) if given else ():
        if application.id not in {*applications, DEFAULT_APP}:
            db.drop(application)
    for application in applications.values():
        db.keep(application)
    for name, kind in (("permissions", Permission), ("roles", Role)):
        known = {r.name: r for r in db.records(kind) if not getattr(r, "tenantId", "")}
        for told in _listed(files, name):
            if "permissions" in told:
                told["permissionNames"] = told.pop("permissions")
            before = known.get(str(told.get("name")))
            record = kind.model_validate((before.model_dump() if before else {}) | told)
            known[record.name] = db.keep(record)


def _listed(files: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = files.get(f"{name}.json", {name: []}).get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DescopeError("E011003", f"{name}.json: {name} is no list")
    return [dict(each) for each in found]


def _flows_in(files: Mapping[str, Any]) -> Iterator[Flow]:
    for flow_id in _Index.model_validate(files.get(INDEX, {})).flows:
        try:
            yield Flow.model_validate(flow_in(files, flow_id))
        except (KeyError, TypeError, ValueError) as error:
            raise DescopeError("E011003", f"{flow_id}: a file is missing or no flow") from error


# -- single flows, in the form of the SDK's calls -----------------------------------------------


class FlowName(Record):
    flowId: str


class FlowNames(Record):
    ids: list[str]


class ImportFlow(FlowName):
    flow: dict[str, Any]
    screens: list[dict[str, Any]] = []


@call("v1/mgmt/flow/list")
def list_flows(db: Transaction, told: Record) -> dict[str, Any]:
    flows = [to_sdk(flow.model_dump())["flow"] for flow in db.records(Flow)]
    return {"flows": flows, "total": len(flows)}


@call("v1/mgmt/flow/export", FlowName)
def export_flow(db: Transaction, told: FlowName) -> dict[str, Any]:
    return to_sdk(db.found(Flow, told.flowId).model_dump())


@call("v1/mgmt/flow/import", ImportFlow)
def import_flow(db: Transaction, told: ImportFlow) -> dict[str, Any]:
    flow = Flow.model_validate(from_sdk(told.model_dump()) | {"flowId": told.flowId})
    load_flow(flow)
    return to_sdk(db.keep(flow).model_dump())


@call("v1/mgmt/flow/delete", FlowNames)
def delete_flows(db: Transaction, told: FlowNames) -> None:
    for flow_id in told.ids:
        db.drop(db.found(Flow, flow_id))
