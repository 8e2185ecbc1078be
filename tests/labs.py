"""A lab, as tests use it: without a browser, through the pages and the API of its own."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.person import Person


class Lab:
    """A person's lab, which runs from now on."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.home = f"/user/{person.cookies_name()}/lab/"
        person.open_server("lab")

    def preview(self, place: str = "", **options: Any) -> Any:
        """A page of the preview."""
        return self.person.get(f"{self.home}preview/{place}", timeout=60, **options)

    def save(self, path: str, notebook: dict[str, Any] | str) -> None:
        """Save a file in the work folder, as JupyterLab does."""
        kind = "file" if isinstance(notebook, str) else "notebook"
        model = {"type": kind, "format": "text" if kind == "file" else "json", "content": notebook}
        assert self.ask("PUT", f"api/contents/{path}", json=model).ok

    def run(self, code: str) -> str:
        """What code prints, in a kernel of its own."""
        kernel = self.ask("POST", "api/kernels", json={}).json()["id"]
        socket = self.person.connect(f"{self.home}api/kernels/{kernel}/channels")
        message = _execute(code)
        socket.send(json.dumps(message))
        printed, state = "", ""
        while state != "idle":  # it comes after all that was printed
            said = json.loads(socket.recv(timeout=60))
            if said["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            content = said["content"]
            if said["msg_type"] in {"stream", "error"}:
                printed += content.get("text", str(content))
            elif said["msg_type"] == "status":
                state = content["execution_state"]
        socket.close()
        self.ask("DELETE", f"api/kernels/{kernel}")
        return printed

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """An answer of the API of Jupyter's server."""
        token = next(
            cookie.value
            for cookie in self.person.cookies
            if cookie.name == "_xsrf" and cookie.path == self.home
        )
        headers = {"X-XSRFToken": str(token)}
        return self.person.request(method, self.home + path, headers=headers, **options)


def _execute(code: str) -> dict[str, Any]:
    """A message of Jupyter's protocol."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.4"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    content |= {"user_expressions": {}, "stop_on_error": True}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
    }
