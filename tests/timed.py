"""Run a command and print the time on the clock and the processor time of everything it started.

`python -m tests.timed COMMAND...`. A database server detaches itself from the process that starts it, so a shell's
`time` does not count it. On Linux this process adopts such processes and counts them when they end
(https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Give the exit code of the command. Ctrl-C is the command's to handle."""
    adopts = sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    began = time.monotonic()
    child = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = None
    while status is None:
        pid, ended = os.wait()
        if pid == child.pid:
            status = child.returncode = os.waitstatus_to_exitcode(ended)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    minutes = (used.ru_utime + used.ru_stime) / 60
    left_out = "" if adopts else " (without the database server, which cannot be counted on this system)"
    print(f"{(time.monotonic() - began) / 60:.1f} minutes on the clock, {minutes:.1f} processor minutes{left_out}")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
