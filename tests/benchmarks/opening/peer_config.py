"""The peer: JupyterHub starts `jupyter standaloneproxy -- panel serve` for each person.

What somebody would put together by the documentation of JupyterHub, jupyter-server-proxy and Panel.
"""

import os
from pathlib import Path

c = get_config()  # noqa: F821
given = os.environ
notebooks = sorted(Path(given["PEER_NOTEBOOKS"]).glob("*.ipynb"))

c.JupyterHub.bind_url = given["PEER_URL"]
c.JupyterHub.hub_port = int(given["PEER_HUB_PORT"])
c.JupyterHub.db_url = "sqlite://"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{given['PEER_PROXY_PORT']}"
c.ConfigurableHTTPProxy.command = [given["PEER_PROXY"]]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
# Patient enough for many that start at once: it is to be measured, not to fail.
c.Spawner.start_timeout = 900
c.Spawner.http_timeout = 900
c.Spawner.cmd = ["jupyter-standaloneproxy", "--timeout=900", "--absolute-url", "--"]
c.Spawner.args = [
    *("panel", "serve", *map(str, notebooks)),
    *("--port", "{port}", "--prefix", "{base_url}", "--allow-websocket-origin", "*"),
]

# To end a server between two measurements.
c.JupyterHub.services = [{"name": "benchmark", "api_token": given["PEER_TOKEN"]}]
c.JupyterHub.load_roles = [
    {"name": "benchmark", "services": ["benchmark"], "scopes": ["admin:servers", "list:users"]}
]
