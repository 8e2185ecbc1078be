"""The command `descope_project`: is the Descope project ready for this hub, and make it so.

`desired.py` says what the hub wants, `project.py` what the project is, `check.py` compares the
two, `push.py` carries out what is to change. `probe.py` asks a real project what its
documentation leaves open. All of it goes through the `descope` SDK.
"""
