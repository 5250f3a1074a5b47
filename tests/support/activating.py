"""Becomes a program that is handed sockets, as systemd does it: see sd_listen_fds(3).

``python activating.py http=127.0.0.1:0 https=127.0.0.1:0 -- PROGRAM ...`` prints a line for each
socket: its name and its port.
"""

from __future__ import annotations

import os
import socket
import sys

FIRST = 3


def main(arguments: list[str]) -> None:
    """Never returns."""
    end = arguments.index("--")
    names, sockets = [], []
    for argument in arguments[:end]:
        name, _, address = argument.partition("=")
        host, _, port = address.rpartition(":")
        sockets.append(socket.create_server((host, int(port))))
        names.append(name)
        print(name, sockets[-1].getsockname()[1], flush=True)
    _place([one.detach() for one in sockets])
    told = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(names)),
        "LISTEN_FDNAMES": ":".join(names),
    }
    command = arguments[end + 1 :]
    os.execvpe(command[0], command, {**os.environ, **told})  # noqa: S606


def _place(descriptors: list[int]) -> None:
    """Put them where they are looked for, from 3 on; first out of each other's way."""
    aside = [os.dup2(fd, 100 + number) for number, fd in enumerate(descriptors)]
    for number, fd in enumerate(aside):
        os.dup2(fd, FIRST + number, inheritable=True)
    os.closerange(FIRST + len(aside), 100 + len(aside))


if __name__ == "__main__":
    main(sys.argv[1:])
