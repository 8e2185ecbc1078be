"""Notebooks as dashboards: the server that each person gets, and what a notebook may import.

`web` is the front of that server, to which browsers and the hub talk; `live` the process of each
dashboard that is open, in which `running` runs the notebook; `forks` is how processes begin warm.
`miniature` draws pictures for cards, and `lab` is where dashboards are written. The modules whose
names end in `_data`, and `admin_page`, are for the notebooks of the admin folder.
"""

from dashboards.identity import CurrentUser, current_user

__all__ = ["CurrentUser", "current_user"]
