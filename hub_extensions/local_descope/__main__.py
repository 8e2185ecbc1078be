"""Start the stand-in: by JupyterHub as its service, or by hand with the same environment."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from urllib.parse import urlsplit

from waitress.server import create_server

from ..end_with_parent import end_with_parent
from .app import create_app
from .config import Config, ConfigError, config_from_environment
from .flows.flow import FlowError

THREADS = 8
#: Beyond these even the hub would not be heard.
CONNECTIONS = 1000


def main() -> None:
    """Serve until SIGTERM or Ctrl-C. What is wrong at the start is one sentence and status 1."""
    parent = int(os.environ.get("LOCAL_DESCOPE_PARENT", os.getppid()))
    if not end_with_parent(parent):
        threading.Thread(target=_watch, args=[parent], daemon=True).start()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="[local_descope] %(message)s")
    # Authlib allows plain http on loopback only, and does not count *.localhost, which the
    # configuration has let through as loopback.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    try:
        config = config_from_environment(os.environ)
        serve(config)
    except (ConfigError, FlowError) as error:
        sys.exit(f"The local stand-in for Descope cannot start: {error}")
    except OSError as error:
        sys.exit(f"The local stand-in for Descope cannot start: {error.strerror}.")


def serve(config: Config) -> None:
    listen = urlsplit(config.listen)
    server = create_server(
        create_app(config),
        host=listen.hostname,
        port=listen.port,
        threads=THREADS,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        ident=None,
        # They are not believed but read: the guard refuses who comes from elsewhere.
        clear_untrusted_proxy_headers=False,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores the second
        signal.signal(number, lambda *_: sys.exit(0))
    logging.getLogger(__name__).info("The local stand-in for Descope answers at %s/", config.url)
    server.run()


def _watch(parent: int) -> None:
    """Where no signal tells of the parent's end: look every second."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
