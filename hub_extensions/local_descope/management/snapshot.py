"""The project as files: its snapshot, and single flows. Both are calls of the management API.

A snapshot is the only way in which the SDK reaches a project's settings, its social providers and
what an application may do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import DescopeError
from ..flows.flow import FlowError, load_flow
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
from ..store import Transaction, digest_of
from .frame import call, invalid

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
    files: dict[str, Any] = {
        path: db.settings(kind).model_dump(exclude={"id"}) for path, kind in SETTINGS.items()
    }
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
        files |= {f"flows/{flow.flowId}/{name}": part for name, part in _split(flow).items()}
    return {"files": files}


@call("v1/mgmt/project/snapshot/validate", Files)
def validate_snapshot(db: Transaction, told: Files) -> dict[str, Any]:
    """An import that is undone."""
    failures: list[str] = []
    undo = db.begin_nested()
    try:
        import_snapshot(db, told)
    except ValidationError as error:
        failures.append(invalid(error).message)
    except (DescopeError, FlowError) as error:
        failures.append(str(error))
    finally:
        undo.rollback()
    return {"ok": not failures, "failures": failures}


@call("v1/mgmt/project/snapshot/import", Files)
def import_snapshot(db: Transaction, told: Files) -> None:
    """Take a snapshot as the project's settings. Roles and permissions are matched by name, and
    stay where it has none of the name; a secret that is blank stays as it was."""
    files = told.files
    for path, body in files.items():
        if not isinstance(body, dict):
            raise DescopeError("E011003", f"{path}: it is no JSON object")
        known = path in SETTINGS or path in {"applications.json", "roles.json", "permissions.json"}
        if not known and not path.startswith("flows/"):
            raise DescopeError("E011003", f"{path}: the local stand-in does not know this file")
    before = db.settings(SocialSettings).providerSettings
    for path in SETTINGS.keys() & files.keys():
        db.keep(SETTINGS[path].model_validate(files[path] | {"id": ""}))
    social = db.settings(SocialSettings)
    for name, provider in social.providerSettings.items():
        provider.clientSecret = provider.clientSecret or before.get(name, provider).clientSecret
    db.keep(social)
    _import_named(db, files)
    flows = list(_joined(files))
    for flow in db.records(Flow):
        if flow.flowId not in {each.flowId for each in flows}:
            db.drop(flow)
    for flow in flows:
        load_flow(flow)
        db.keep(flow)


def _import_named(db: Transaction, files: Mapping[str, Any]) -> None:
    given = _listed(files, "applications.json", "applications")
    applications = {a.id: a for a in (Application.model_validate(each) for each in given)}
    for application in db.records(Application) if given else ():
        if application.id not in {*applications, DEFAULT_APP}:
            db.drop(application)
    for application in applications.values():
        db.keep(application)
    permissions = {each.name: each for each in db.records(Permission)}
    for each in _listed(files, "permissions.json", "permissions"):
        known = permissions.get(str(each.get("name")))
        db.keep(Permission.model_validate((known.model_dump() if known else {}) | each))
    roles = {each.name: each for each in db.records(Role) if not each.tenantId}
    for each in _listed(files, "roles.json", "roles"):
        told = {"permissionNames": each.get("permissions"), **each}
        told.pop("permissions", None)
        known = roles.get(str(each.get("name")))
        db.keep(Role.model_validate((known.model_dump() if known else {}) | told))


def _listed(files: Mapping[str, Any], path: str, name: str) -> list[dict[str, Any]]:
    found = files.get(path, {name: []}).get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DescopeError("E011003", f"{path}: {name} is no list")
    return found


def _split(flow: Flow) -> dict[str, Any]:
    """A flow as a snapshot has it: metadata, contents, and a file a screen."""
    screens = {screen["screenId"]: screen for screen in flow.screens}
    named = {"flowId": flow.flowId, "screens": list(screens), "references": flow.references}
    parts = {"metadata.json": flow.metadata | named, "contents.json": flow.contents}
    return parts | {f"screen-{screen_id}.json": screen for screen_id, screen in screens.items()}


def _joined(files: Mapping[str, Any]) -> Iterator[Flow]:
    for flow_id in _Index.model_validate(files.get(INDEX, {})).flows:
        folder = f"flows/{flow_id}"
        try:
            metadata = dict(files[f"{folder}/metadata.json"])
            screens = [files[f"{folder}/screen-{i}.json"] for i in metadata.pop("screens", [])]
            contents = files[f"{folder}/contents.json"]
        except (KeyError, TypeError, ValueError) as error:
            raise DescopeError("E011003", f"{folder}: a file is missing or no flow") from error
        references = metadata.pop("references", {})
        metadata.pop("flowId", None)
        yield Flow(
            flowId=flow_id,
            metadata=metadata,
            contents=contents,
            screens=screens,
            references=references,
        )


# -- single flows, in the format of the SDK's calls, which is another than that of an export -----


class FlowName(Record):
    flowId: str


class FlowNames(Record):
    ids: list[str]


class ImportFlow(FlowName):
    flow: dict[str, Any]
    screens: list[dict[str, Any]] = []


def _flow(db: Transaction, flow_id: str) -> Flow:
    flow = db.record(Flow, flow_id)
    if flow is None:
        raise DescopeError("E103003")
    return flow


def _shown(flow: Flow) -> dict[str, Any]:
    return {
        "id": flow.flowId,
        "name": flow.metadata.get("name", flow.flowId),
        "description": flow.metadata.get("description", ""),
        "disabled": False,
        "etag": digest_of(flow.model_dump_json())[:16],
        "dsl": flow.contents,
    }


@call("v1/mgmt/flow/list")
def list_flows(db: Transaction, told: Record) -> dict[str, Any]:
    flows = [_shown(flow) for flow in db.records(Flow)]
    return {"flows": flows, "total": len(flows)}


@call("v1/mgmt/flow/export", FlowName)
def export_flow(db: Transaction, told: FlowName) -> dict[str, Any]:
    return _exported(_flow(db, told.flowId))


def _exported(flow: Flow) -> dict[str, Any]:
    screens = [
        {
            "id": screen["screenId"],
            "interactions": screen.get("interactions", []),
            "inputs": [],
            "htmlTemplate": screen["contents"],
        }
        for screen in flow.screens
    ]
    return {"flow": _shown(flow), "screens": screens}


@call("v1/mgmt/flow/import", ImportFlow)
def import_flow(db: Transaction, told: ImportFlow) -> dict[str, Any]:
    metadata = {name: told.flow[name] for name in ("name", "description") if name in told.flow}
    screens = [
        {
            "screenId": screen.get("id"),
            "interactions": screen.get("interactions", []),
            "contents": screen.get("htmlTemplate"),
        }
        for screen in told.screens
    ]
    contents = told.flow.get("dsl", {})
    flow = Flow(flowId=told.flowId, metadata=metadata, contents=contents, screens=screens)
    load_flow(flow)
    db.keep(flow)
    return _exported(flow)


@call("v1/mgmt/flow/delete", FlowNames)
def delete_flows(db: Transaction, told: FlowNames) -> None:
    for flow_id in told.ids:
        db.drop(_flow(db, flow_id))
