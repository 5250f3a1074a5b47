"""What a program takes, with all that it starts."""

from __future__ import annotations

from bench.processes import PYTHON, Process

#: It starts another from a thread, as a supervisor may, which takes 100 MB and says so.
PROGRAM = """\
import subprocess, sys, threading
CHILD = "x = bytearray(10**8); print('ready', flush=True); input()"
def start():
    subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE).wait()
threading.Thread(target=start).start()
"""


def test_children_count_whichever_thread_has_started_them() -> None:
    """Memory and CPU time are of the whole family."""
    with Process([PYTHON, "-c", PROGRAM]) as process:
        process.wait_for_line("ready")
        assert process.resident_mib() > 95
        assert process.cpu_seconds() >= 0
