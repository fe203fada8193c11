"""Run a command that ends when its parent does: `python die_with_parent.py PARENT_PID SIGNAL COMMAND...`.

Linux only (PR_SET_PDEATHSIG survives exec); elsewhere the command just runs. A script of its own, because the
alternative, `preexec_fn`, runs Python between fork and exec, which can deadlock in a process with threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Ask for the signal, make sure that the parent still lives, then become the command."""
    parent, signal_number, command = int(argv[1]), int(argv[2]), argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked: no signal would ever come
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(sys.argv)
