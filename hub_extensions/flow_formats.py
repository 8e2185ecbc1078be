"""The three forms of a Descope flow: an export, files of a snapshot, and what the SDK sends.

The export, which `flows/` holds and the console gives, is the form that the others are made from.
Source: Descope's CLI, `flow/convert.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flow_in(files: Mapping[str, Any], flow_id: str) -> dict[str, Any] | None:
    """A flow of a snapshot as an export; None where it has none of the name."""
    folder = f"flows/{flow_id}"
    if f"{folder}/contents.json" not in files:
        return None
    metadata = dict(files.get(f"{folder}/metadata.json") or {})
    screens = [files[f"{folder}/screen-{each}.json"] for each in metadata.pop("screens", [])]
    return {
        "contents": files[f"{folder}/contents.json"],
        "flowId": metadata.pop("flowId", flow_id),
        "references": metadata.pop("references", {}),
        "metadata": metadata,
        "screens": screens,
    }


def files_of(flow: Mapping[str, Any]) -> dict[str, Any]:
    """The files that a flow is in a snapshot."""
    folder = f"flows/{flow['flowId']}"
    screens = {str(screen["screenId"]): screen for screen in flow["screens"]}
    metadata = {
        **flow.get("metadata", {}),
        "flowId": flow["flowId"],
        "references": flow.get("references", {}),
        "screens": list(screens),
    }
    return {
        f"{folder}/metadata.json": metadata,
        f"{folder}/contents.json": flow["contents"],
        **{f"{folder}/screen-{name}.json": screen for name, screen in screens.items()},
    }


def to_sdk(flow: Mapping[str, Any]) -> dict[str, Any]:
    """A flow and its screens as `import_flow` sends and `export_flow` answers them."""
    metadata = flow.get("metadata", {})
    told = {
        "id": flow["flowId"],
        "name": metadata.get("name", flow["flowId"]),
        "description": metadata.get("description", ""),
        "disabled": False,
        "dsl": flow["contents"],
    }
    screens = [
        {
            "id": screen["screenId"],
            "interactions": screen.get("interactions", []),
            "inputs": [],
            "htmlTemplate": screen["contents"],
        }
        for screen in flow["screens"]
    ]
    return {"flow": told, "screens": screens}


def from_sdk(told: Mapping[str, Any]) -> dict[str, Any]:
    """The export of a flow that the SDK sends or was answered."""
    flow = told["flow"]
    return {
        "contents": flow.get("dsl") or {},
        "flowId": flow.get("id"),
        "metadata": {name: flow[name] for name in ("name", "description") if name in flow},
        "references": {},
        "screens": [
            {
                "screenId": screen.get("id"),
                "interactions": screen.get("interactions", []),
                "contents": screen.get("htmlTemplate") or {},
            }
            for screen in told.get("screens", [])
        ],
    }
