"""Starts a command, waits for it, and writes status, seconds, peak memory and processor seconds: a small parent.

A process begins with its parent's peak as its own, so a parent with pandas in it would hide how little a child needs.

python -I -S launch.py FILE COMMAND...
"""

import os
import sys
import time


def main(file: str, *command: str) -> None:
    started = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    # Linux counts in kilobytes, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(file, "w") as report:  # noqa: PTH123 - pathlib alone is a megabyte
        report.write(f"{os.waitstatus_to_exitcode(status)} {seconds!r} {peak} {usage.ru_utime + usage.ru_stime!r}")


main(*sys.argv[1:])
