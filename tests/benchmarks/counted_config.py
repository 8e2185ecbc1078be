"""The shipped configuration, with a counter between the hub and the local stand-in for Descope."""

import os
from pathlib import Path

c = get_config()  # noqa: F821 - traitlets gives it to configuration files
load_subconfig(str(Path(__file__).parents[2] / "jupyterhub_config.py"))  # noqa: F821 - so does it

direct = c.DescopeAuthenticator.management_uri
counted = f"http://127.0.0.1:{os.environ['BENCHMARK_COUNTER']}/services/descope"
c.DescopeAuthenticator.management_uri = counted
c.DescopeAuthenticator.provider_metadata = {
    name: url.replace(direct, counted)
    for name, url in c.DescopeAuthenticator.provider_metadata.items()
}
