"""JupyterHub and `GenericOAuthenticator` as they come: what Atrium is measured against.

Only the provider is Atrium's: the same stand-in, a service of this hub. All else is what those two
offer, set in favour of a quick revocation: `manage_groups`, a refresh of what
the provider says every 30 s (300 are usual), servers that report to the hub every 10 s (300).
"""

import sys
from pathlib import Path

from hub_extensions import local_service, settings, state

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 30

given = settings.load(ROOT)
kept = state.open_state(given)
endpoints = local_service.endpoints(given, kept)


def groups(auth_state):
    """The roles in the tenant, as groups; `Analyst` gives `analysts`, as here."""
    roles = auth_state["oauth_user"].get("tenants", {}).get("acme", {}).get("roles", ())
    return {"analysts" if role == "Analyst" else role.lower() for role in roles}


c = get_config()  # noqa: F821 - traitlets gives it to configuration files
c.JupyterHub.bind_url = given.listen_url
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{kept.hub_port}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{kept.proxy_api_port}"
c.JupyterHub.db_url = given.database_url
c.JupyterHub.cookie_secret_file = str(kept.folder / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(kept.folder / "proxy.pid")
c.CryptKeeper.keys = [bytes.fromhex(kept.secret("crypt_key"))]
c.JupyterHub.services = local_service.services(given, kept, ROOT)

c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.client_id = settings.LOCAL_PROJECT_ID
c.GenericOAuthenticator.client_secret = kept.secret("descope_client_secret")
c.GenericOAuthenticator.oauth_callback_url = f"{given.address}/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = endpoints["authorization_endpoint"]
c.GenericOAuthenticator.token_url = endpoints["token_endpoint"]
c.GenericOAuthenticator.userdata_url = endpoints["userinfo_endpoint"]
c.GenericOAuthenticator.scope = ["openid", "email", "profile", "descope.claims"]
c.GenericOAuthenticator.username_claim = "email"
c.GenericOAuthenticator.allow_all = True
c.GenericOAuthenticator.auto_login = True
c.GenericOAuthenticator.enable_auth_state = True
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.auth_state_groups_key = groups
c.GenericOAuthenticator.auth_refresh_age = SECONDS

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(kept.folder / "homes" / "{username}")
c.Spawner.cmd = [sys.executable, str(Path(__file__).with_name("server.py"))]
