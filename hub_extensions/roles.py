"""JupyterHub's roles as Atrium uses them: the least scopes, one to a line with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .folders import ADMIN

#: Read who may see what and why, who opens what, and the audit trail.
READ_ACCESS: Final = "custom:atrium:read"

#: Publish notebooks, to the folders to which their owner may.
PUBLISH: Final = "custom:atrium:publish"

#: Sign anybody out everywhere.
SIGN_OUT: Final = "custom:atrium:sign-out"

#: Tell everybody something, on every page.
ANNOUNCE: Final = "custom:atrium:announce"

CUSTOM_SCOPES: Final[dict[str, dict[str, Any]]] = {
    READ_ACCESS: {
        "description": "Read who may see what and why, who opens what, and the audit trail"
    },
    PUBLISH: {"description": "Publish notebooks, to the folders to which their owner may"},
    ANNOUNCE: {"description": "Tell everybody something, on every page"},
    SIGN_OUT: {"description": "See who is signed in, and sign people out everywhere"},
}

ROLES: Final[list[dict[str, Any]]] = [
    {
        "name": "user",  # JupyterHub's own, of everybody
        "description": "Standard user privileges",
        "scopes": [
            "self",  # all that is their own, as JupyterHub has it;
            PUBLISH,  # and publish, where the groups say so. Servers' tokens have it not.
        ],
    },
    {
        "name": "group-manager",
        "description": "Members of the group admin: see people and manage groups",
        "groups": [ADMIN],
        "scopes": [
            "admin-ui",  # open the hub's admin page,
            "list:users",  # which is blank without the list of people,
            "read:users",  # their groups and when they were last here,
            "read:servers",  # and which servers run;
            "list:groups",  # see the groups,
            "read:groups",  # who is in them,
            "admin:groups",  # make them and change their members (group_api.py guards which);
            SIGN_OUT,  # end the sessions of somebody whose device is lost, or who has left;
            ANNOUNCE,  # tell everybody that a figure is late, or the service away tonight;
            READ_ACCESS,  # see why who may see what (their server of the admin folder gets it).
        ],
    },
]


def manager_scopes(managers: str, managed: Iterable[str], people: str) -> list[str]:
    """What the members of a group `<x>.admin` may do: put people of their tenant into groups."""
    return [
        "admin-ui",  # open the hub's admin page,
        f"list:users!group={people}",  # choose among the people of their tenant, by name only,
        f"list:groups!group={managers}",  # see their own group (the page needs one),
        f"read:groups!group={managers}",  # and so who manages with them,
        *(f"groups!group={name}" for name in managed),  # see and change who is in these groups.
    ]
