"""The local stand-in for Descope: a small Descope on this machine, for trying Atrium out.

Run as `python -m hub_extensions.local_descope`; its settings are in `config.py`. It answers at
Descope's own paths, and its sign-in page is what a flow file in Descope's export format says.
It lets everybody be anybody, so it must never be reached from another machine (`guard.py`).

`records.py` is what a project has, `flows` what a person goes through to sign in, `oidc` what an
application sees of it, and `management` how a program changes the project.
"""
