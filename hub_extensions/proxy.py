"""The node configurable-http-proxy, with a plain sentence where it cannot start."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy
from traitlets import Bool, Unicode, default

from .settings import SettingsError, is_loopback


class AtriumProxy(ConfigurableHTTPProxy):
    """JupyterHub's own proxy. Checks before it starts, and says where everything is afterwards."""

    loopback_only = Bool(config=True, help="Refuse to listen beyond this machine.")
    welcome = Unicode(config=True, help="What to say on the terminal once the hub serves.")

    @default("command")
    def _command_default(self) -> list[str]:
        beside = Path(sys.executable).with_name("configurable-http-proxy")
        found = str(beside) if beside.exists() else shutil.which("configurable-http-proxy")
        if not found:
            raise SettingsError(
                'configurable-http-proxy is not installed; run "make hub", or install it with npm'
            )
        return [sys.executable, "-m", "hub_extensions.end_with_parent", str(os.getpid()), found]

    @default("log_level")
    def _log_level_default(self) -> str:
        return "warn"  # the hub's own log says what is routed where

    async def start(self) -> None:
        """Start the proxy.

        Raises:
            SettingsError: the port is taken, or the stand-in would be reachable from elsewhere.
        """
        if self.loopback_only and not is_loopback(self.public_url):
            raise SettingsError(
                f"the local stand-in for Descope cannot be served at {self.public_url}, which "
                "others can reach; set DESCOPE_PROJECT_ID, or listen on 127.0.0.1"
            )
        self._check_previous_process()
        for name, url in (("ATRIUM_BIND_URL", self.public_url), ("ATRIUM_STATE", self.api_url)):
            self._check_port(name, url)
        leave_servers_on_term(self.app)
        await super().start()
        # JupyterHub does this once all serves; who comes before would meet a 404 without a style.
        await self.restore_routes()

    def _check_port(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise SettingsError(
                    f"port {address[1]} of {address[0]} cannot be used ({error.strerror}); "
                    f"stop what uses it, or set {name} to another one"
                ) from None

    async def check_routes(self, *args: Any, **kwargs: Any) -> None:
        """JupyterHub's last step of a start: everything serves now."""
        await super().check_routes(*args, **kwargs)
        if self.welcome:  # soon: after JupyterHub's own last line, where it is seen
            say = functools.partial(print, self.welcome, flush=True)
            asyncio.get_running_loop().call_soon(say)
            self.welcome = ""


def leave_servers_on_term(app: JupyterHub) -> None:
    """Ctrl-C stops everything; SIGTERM, a service manager's, leaves people's dashboards running.

    The next start adopts them. JupyterHub has one switch for both, so it is set when it is known
    which signal came.
    """

    async def shutdown(sig: signal.Signals | None = None) -> None:
        app.cleanup_servers = sig is not signal.SIGTERM
        await JupyterHub.shutdown_cancel_tasks(app, sig)

    app.shutdown_cancel_tasks = shutdown
