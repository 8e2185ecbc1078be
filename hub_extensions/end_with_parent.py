"""`python -m hub_extensions.end_with_parent PID COMMAND…`: a command that ends when the hub does.

JupyterHub stops its proxy and its services itself, but not after a kill -9 or a failed start; they
would go on and hold their ports. Linux can do that for it; elsewhere this only runs the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> bool:
    """Have this process, and what it becomes by exec, ended by SIGTERM when its parent ends.

    Args:
        parent: the process id of the parent, as the parent itself has said it: by the time that
            this runs it may be gone, and somebody else be the parent.

    Returns False on a system that cannot do that.
    """
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already, so the signal will never come
        sys.exit(0)
    return True


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
