"""A hub, and dashboard servers, of which many guards are taken out at once.

One hub serves for all of them: what one guard would refuse is not in the way of the others.
"""

from __future__ import annotations

from pathlib import Path

from tests.attacks.without import without

#: Lines that a dashboard server runs before it starts.
_SERVERS = """
import os, types
from pathlib import Path
from dashboards import catalog, server
from dashboards.web import dashboard_page, dashboard_socket, hub, revoking, sessions, site

# a link leads to a file of the same folder only
def linked(folder, name=None):
    for entry in os.scandir(folder):
        if entry.name.endswith(".ipynb"):
            path = Path(entry.path).resolve()
            yield catalog._dashboard(folder.name, entry.name[:-6], path, path.stat())
catalog.dashboards_of = linked

# dashboards are found by name among one's own
site.visible = dashboard_page.visible = lambda found, groups: tuple(found)

# a server is its owner's
def anybody(self, model):
    groups = frozenset((model or {}).get("groups") or ())
    return model and hub.Visitor(name=model["name"], groups=groups, is_owner=True)
hub.Hub._visitor = anybody

# tokens in addresses are no sign-in
init = hub.Hub.__init__
def with_tokens_in_addresses(self, *given):
    init(self, *given)
    self.auth.allow_token_in_url = True
hub.Hub.__init__ = with_tokens_in_addresses

# the hub's key of a server
revoking.GroupsHandler.prepare = lambda self: None

# what is open is closed when its group is taken away
sessions.visible = dashboard_socket.visible = lambda found, groups: tuple(found)

# the origin of a WebSocket is the server's own
dashboard_socket.DashboardSocket.check_origin = lambda self, origin: True

# a WebSocket is for the owner, as the page is
async def prepare(self):
    self.site = self.settings["site"]
    self.session = self._asked_for()
    self.visitor = types.SimpleNamespace(is_admin=False, groups=frozenset())
dashboard_socket.DashboardSocket.prepare = prepare

# a session is opened by the token that its page was given
def of_socket(self, group, name, token):
    for session in self._open:
        if (session.dashboard.group, session.dashboard.name) == (group, name):
            return session
sessions.Sessions.of_socket = of_socket
server.run()
"""
#: A server of the admin folder whose session tokens are old after a second, and nothing else.
_SHORT = """
from dashboards import server
from dashboards.web import sessions
sessions.TOKEN_LIFETIME = 1
server.run()
"""
#: Lines that the hub runs before its configuration.
_HUB = """
import base64, json, types
from hub_extensions.access import asking, group_api
from hub_extensions.signing_in import ending, log, provider, rate_limit, sign_in, sign_out
from hub_extensions.spawner import DashboardSpawner

# what a customer's manager sees and may do
group_api._GuardedGroup.people_seen = None
group_api._GuardedGroup.check_may_manage = lambda *_: None
group_api.alike = lambda name: name
del group_api.GroupListHandler.paginated_model
group_api.GroupPropertiesHandler.put = group_api.stock.GroupPropertiesAPIHandler.put

# signing out ends every cookie
async def end_nothing(app, user, *, lab=False): pass
sign_out.end_everything = end_nothing

# a sign-in leads to own paths
sign_in.own_path = lambda address: address

# a sign-in is its browser's
sign_in.secrets = types.SimpleNamespace(
    compare_digest=lambda one, other: True, token_urlsafe=sign_in.secrets.token_urlsafe
)

# XSRF token
asking.RequestsHandler.check_xsrf_cookie = lambda self: None

# identity is bound to issuer and subject
ending.EndsSignIn._check_identity = lambda *_: None

# which servers there are
DashboardSpawner.check_allowed = lambda self: None

# limit on wrong sign-ins
rate_limit.RateLimits.check = lambda *_: None

# check of a logout token
def unverified(token, keys):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
provider.signed_claims = unverified

# no token in the log
log.NoTokens.filter = lambda *_: True

start = DashboardSpawner.start
async def start_unguarded(self):
    self.cmd = [sys.executable, "-I", "-c", SERVERS if self.name == "" else SHORT]
    return await start(self)
DashboardSpawner.start = start_unguarded
"""


def unguarded(folder: Path) -> dict[str, str]:
    """The environment of such a hub."""
    return without(folder, f"SERVERS = {_SERVERS!r}\nSHORT = {_SHORT!r}\n{_HUB.lstrip()}")
