"""The command line: `descope_project check`, `push` and `pull`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import local_service, state
from ..settings import LOCAL_PROJECT_ID, Settings, read, require
from ..signing_in import provider
from . import probe
from .check import findings
from .desired import Desired, ProjectError, load_desired
from .finding import Change, Finding
from .project import Project, Refused, State
from .push import import_files, make_calls, shown, validate

CONFIGURATION = "jupyterhub_config.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 for a project that is not ready, 2 for a
    sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="descope_project",
        description="Check a Descope project against the hub in this folder, and set it up.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="is this project ready for our hub?")
    check.add_argument("--probe", action="store_true", help="ask a real project what is not known")
    push = commands.add_parser("push", help="make it so")
    push.add_argument("--dry-run", action="store_true", help="only show what would change")
    push.add_argument("--yes", action="store_true", help="do not ask")
    push.add_argument(
        "--renew-secrets", action="store_true", help="send the secrets of single sign-on again"
    )
    pull = commands.add_parser("pull", help="write the project's flow into flows/")
    pull.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    try:
        folder = Path.cwd()
        if not (folder / CONFIGURATION).exists():
            raise ProjectError(f"there is no {CONFIGURATION} here; go to the folder where it lies")
        job = _Job(folder)
        match given.command:
            case "check":
                return job.probe() if given.probe else job.check()
            case "push":
                return job.push(
                    dry_run=given.dry_run, yes=given.yes, renew_secrets=given.renew_secrets
                )
            case _:
                return job.pull(yes=given.yes)
    except ProjectError as error:
        print(f"descope_project: {error.sentence}", file=sys.stderr)
        return 2
    except Refused as error:
        print(f"descope_project: Descope refused to answer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("descope_project: stopped", file=sys.stderr)
        return 2


class _Job:
    """One run of the command in a hub's folder."""

    def __init__(self, folder: Path) -> None:
        self.dotenv = folder / ".env"
        self.settings = settings = read(folder)
        self.project, owner = _project(settings)
        self.desired: Desired = load_desired(folder, settings, owner)

    def _state(self) -> State:
        flow_id, tenants = self.desired.flow["flowId"], frozenset(self.desired.tenants)
        return self.project.read(self.project.connect(), flow_id, tenants)

    def check(self) -> int:
        self._greet()
        return _report(findings(self._state(), self.desired))

    def probe(self) -> int:
        self._greet()
        return probe.run(self.project, self.settings, self.desired)

    def push(self, *, dry_run: bool, yes: bool, renew_secrets: bool) -> int:
        self._greet()
        before = self._state()
        found = findings(before, self.desired, renew_secrets=renew_secrets)
        changes = [finding.change for finding in found if finding.change]
        if not changes:
            print("Nothing is to be changed.")
            return _report(found)
        print(shown(changes))
        print()
        count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
        if dry_run:
            print(f"{count}; nothing was done.")
            return 0
        if not yes and not _agreed(f"Make {count}?"):
            print("Nothing was done.")
            return 1
        client = self.project.connect()
        if before.files is not None:
            validate(client, before.files, changes)
        done, key = make_calls(client, changes, self.dotenv)
        for what in done:
            print(f"Done: {what}")
        if key:
            print(f"The access key is in {self.dotenv}.")
            self.project = replace(self.project, client_secret=key)
        self._import(changes)
        return _report(findings(self._state(), self.desired))

    def _import(self, agreed: Sequence[Change]) -> None:
        """Import what has no call of its own, on top of the project as it is after the calls."""
        after_calls = self._state()
        found = findings(after_calls, self.desired)
        left = [each.change for each in found if each.change and each.change.files]
        if not left or after_calls.files is None:
            return
        known = {change.what: (change.before, change.after) for change in agreed}
        if any(known.get(change.what) != (change.before, change.after) for change in left):
            raise ProjectError("the project has been changed meanwhile; give the command again")
        for what in import_files(self.project.connect(), after_calls.files, left):
            print(f"Done: {what}")

    def pull(self, *, yes: bool) -> int:
        self._greet()
        flow = self._state().flow
        if flow is None:
            raise ProjectError(f"the project has no flow {self.desired.flow['flowId']}")
        path = self.desired.flow_file
        text = json.dumps(flow, indent=2, ensure_ascii=False) + "\n"
        if flow == self.desired.flow:
            print(f"{path} is the project's flow already.")
            return 0
        if not yes and not _agreed(f"Replace {path}?"):
            print("Nothing was done.")
            return 1
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        print(f"Written: {path}")
        return 0

    def _greet(self) -> None:
        where = "the local stand-in" if self.settings.is_local else "Descope"
        print(f"Project {self.project.project_id} of {where}, {self.project.base_uri}")


def _project(settings: Settings) -> tuple[Project, str]:
    """The project, and the tenant that owns the hub: the real ones, or those of the stand-in of a
    hub that runs in this folder.

    Raises:
        ProjectError: none has, and nothing is made here in its place.
    """
    if not settings.is_local:
        project_id = settings.project_id or ""
        real = Project(
            project_id=project_id,
            base_uri=settings.base_uri or provider.descope_base_uri(project_id),
            management_key=require("DESCOPE_MANAGEMENT_KEY", settings.management_key),
            client_secret=settings.client_secret,
        )
        return real, require("DESCOPE_TENANT_ID", settings.owner_tenant)
    if not (settings.state / "provider").exists():
        raise ProjectError(
            "no hub has run here yet, and DESCOPE_PROJECT_ID is not set; set it, or start the hub "
            "first to try the command on its local stand-in"
        )
    kept = state.open_state(settings)
    local = Project(
        project_id=LOCAL_PROJECT_ID,
        base_uri=local_service.base_uri(settings),
        management_key=kept.secret(local_service.MANAGEMENT_KEY),
        client_secret=kept.secret("descope_client_secret"),
    )
    return local, local_service.OWNER_TENANT


def _agreed(question: str) -> bool:
    """Whether the person says yes; who cannot be asked has not."""
    if not sys.stdin.isatty():
        raise ProjectError("there is nobody to ask here; give --yes, or --dry-run to see first")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _report(found: Sequence[Finding]) -> int:
    for finding in found:
        print(f"{'Note' if finding.is_note else 'Problem'}: {finding.what}")
        print(f"    Fix: {finding.fix}.")
    problems = sum(not finding.is_note for finding in found)
    if problems:
        print(f"Not ready: {problems} {'problem' if problems == 1 else 'problems'}.")
        return 1
    print("Ready: this hub can sign people in through it.")
    return 0
