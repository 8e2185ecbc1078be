"""Atrium: Jupyter notebooks as live dashboards. Start it with `jupyterhub -f jupyterhub_config.py`.

Nothing is decided here. Settings come from the environment or `.env` (see .env.example), the parts
from hub_extensions; this file wires them together. What depends on more than one setting, each
part's `set_up` sets.
"""

from pathlib import Path

from hub_extensions import brands, lab, local_service, look, roles, services, settings, state
from hub_extensions.accounts import unix_accounts
from hub_extensions.publishing import rights, uploads
from hub_extensions.signing_in import provider

folder = Path(__file__).resolve().parent
given = settings.load(folder)  # one sentence and an end, if something is missing or wrong
kept = state.open_state(given)
homes = kept.folder / "people"
branding = brands.load(given, kept, services.files_url(given))
isolation = unix_accounts.isolation(given, homes)

c = get_config()  # noqa: F821 - traitlets gives it to configuration files

# Where it is. Everything but the proxy's public port listens on this machine only.
c.JupyterHub.bind_url = given.listen_url
c.JupyterHub.public_url = given.public_url or ""
c.JupyterHub.subdomain_host = given.subdomain_host or ""
c.JupyterHub.cookie_host_prefix_enabled = bool(given.subdomain_host)
c.JupyterHub.trusted_downstream_ips = [str(n[0]) for n in given.trusted_proxies if n[0] == n[-1]]
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{kept.hub_port}{given.path}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{kept.proxy_api_port}"

uploads.set_up()  # how large a request may be

# What it keeps.
c.JupyterHub.db_url = given.database_url
c.JupyterHub.cookie_secret = bytes.fromhex(kept.secret("cookie_secret"))
c.CryptKeeper.keys = [bytes.fromhex(kept.secret("crypt_key"))]
c.ConfigurableHTTPProxy.auth_token = kept.secret("proxy_token")
c.ConfigurableHTTPProxy.pid_file = str(kept.folder / "proxy.pid")

# Who comes in.
c.JupyterHub.authenticator_class = "descope"
c.DescopeAuthenticator.project_id = given.project_id or settings.LOCAL_PROJECT_ID
c.DescopeAuthenticator.client_secret = given.client_secret or kept.secret("descope_client_secret")
c.DescopeAuthenticator.owner_tenant = given.owner_tenant or local_service.OWNER_TENANT
c.DescopeAuthenticator.customer_tenants = set(given.customers)
c.DescopeAuthenticator.oauth_callback_url = f"{given.address}/hub/oauth_callback"
c.DescopeAuthenticator.hub_admins = set(given.hub_admins)
c.DescopeAuthenticator.required_amr = set(given.required_amr)
c.DescopeAuthenticator.revoke_seconds = given.revoke_seconds
c.DescopeAuthenticator.session_hours = given.session_hours
c.DescopeAuthenticator.management_key = given.management_key or ""
c.DescopeAuthenticator.state_folder = str(kept.folder)
c.DescopeAuthenticator.audit_key = kept.secret("audit_key")
c.DescopeAuthenticator.sign_in_limit = given.sign_in_limit
c.DescopeAuthenticator.trusted_proxies = list(given.trusted_proxies)
provider.set_up(c, given)
local_service.set_up(c, given, kept)
rights.set_up(c, given, isolation)
c.Authenticator.auth_refresh_strict = True  # a refusal ends tokens as it ends cookies
c.Authenticator.refresh_pre_spawn = False  # the sign-in a moment ago has asked already
c.JupyterHub.custom_scopes = roles.CUSTOM_SCOPES
c.JupyterHub.load_roles = [*roles.ROLES, *services.roles(given)]

# What people get: a dashboard server each, for admins a second one, for the admin folder, and for
# those who write dashboards a lab.
c.JupyterHub.spawner_class = "dashboards"
c.DashboardSpawner.notebooks = str(given.notebooks)
c.DashboardSpawner.push_key = kept.secret("push_key")
c.DashboardSpawner.homes = str(homes)
c.DashboardSpawner.state_folder = str(kept.folder)
c.DashboardSpawner.shared = str(kept.folder / "shared")
c.DashboardSpawner.shared_seconds = given.shared_seconds
c.DashboardSpawner.thumbnails = given.thumbnails
c.DashboardSpawner.unix_ids = list(given.unix_uids or ()) if isolation.ids else []
c.DashboardSpawner.files_url = services.files_url(given)
lab.set_up(c, given, isolation)
c.DashboardSpawner.server_environment = services.server_environment(given)
c.DashboardSpawner.brand_for = branding.for_server
c.DashboardSpawner.activity_seconds = services.activity_seconds(given)
c.DashboardSpawner.starts_at_once = given.starts_at_once
c.JupyterHub.concurrent_spawn_limit = 0  # whoever comes then waits in line
c.Spawner.mem_limit = given.memory_limit
c.Spawner.cpu_limit = given.cpu_limit
services.start_template(given, kept)
c.JupyterHub.allow_named_servers = True
c.JupyterHub.last_activity_interval = 0  # the proxy counts WebSocket pings; servers report people
c.Spawner.http_timeout = 60
c.Spawner.poll_interval = 5  # a server that was killed is noticed while its person still waits

# How it looks.
look.set_up(c, given, services.ahead_url(given), branding)
if given.subdomain_host:  # __Host- cookies are Secure, on the way to a dashboard server too
    c.JupyterHub.tornado_settings["cookie_options"] = {"secure": True}

# What runs beside it.
c.JupyterHub.proxy_class = "hub_extensions.proxy.AtriumProxy"
c.AtriumProxy.loopback_only = given.is_local
c.AtriumProxy.welcome = local_service.welcome(given, kept, isolation)
c.JupyterHub.services = services.services(given, kept, folder, branding.installation)
