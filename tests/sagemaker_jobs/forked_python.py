"""A `python3` and a `torchrun` for job machines that run scripts in forks with PyTorch loaded, instead of importing it.

`commands` writes them into a folder for PATH. Each is a small client: it sends its arguments, environment and output
to this process, which forks a process that runs the script, passes signals on, and answers with the exit code. A client
that is killed takes its fork with it. Everything but an entry point of a job runs in the real interpreter.
"""

from __future__ import annotations

import json
import os
import runpy
import shlex
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from tests.forkserver import _context

_starting = threading.Lock()
_ENTRY_POINTS = ("train.py", "enhance.py", "score.py")
_TORCHRUN = "torch.distributed.run"
_CLIENT = """
import json, os, signal, socket, sys
address, interpreter, *arguments = sys.argv[1:]
words = [word for word in arguments if word != "-u"]
if not words or os.path.basename(words[0]) not in {entry_points!r} and words[:2] != ["-m", {torchrun!r}]:
    os.execv(interpreter, [interpreter, *arguments])
server = socket.socket(socket.AF_UNIX)
server.connect(address)
request = dict(arguments=words, environment=dict(os.environ), folder=os.getcwd(),
    ignored=signal.getsignal(signal.SIGTERM) == signal.SIG_IGN)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: server.sendall(bytes([number])))
content = json.dumps(request).encode()
socket.send_fds(server, [len(content).to_bytes(8, "big")], [1, 2])
server.sendall(content)
code = server.recv(1)
sys.exit(code[0] if code else 1)
"""


def commands(folder: Path) -> dict[str, str]:
    """Write the commands; returns the environment variables that make `torchrun` start its workers by them too."""
    address, client = _server(), folder / "client.py"
    client.write_text(_CLIENT.format(entry_points=_ENTRY_POINTS, torchrun=_TORCHRUN))
    start = shlex.join([sys.executable, "-I", "-S", str(client), address, sys.executable])
    for name, arguments in {"python3": "", "python": "", "torchrun": f"-m {_TORCHRUN} "}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {start} {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return {"PYTHON_EXEC": str(folder / "python3")}


@cache
def _server() -> str:
    """The address of the server, which runs as long as this process."""
    address = str(Path(tempfile.mkdtemp(prefix="forks")) / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_run_for, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return address


def _run_for(client: socket.socket) -> None:
    with client:
        header, outputs, _, _ = socket.recv_fds(client, 8, 2)
        with client.makefile("rb", buffering=0) as stream:
            content = b""
            while len(content) < int.from_bytes(header, "big"):
                content += stream.read(2**16)
        with _starting:
            # Descriptors are sent with the process that is started next.
            process = _context.Process(target=_run, args=(json.loads(content), *map(DupFd, outputs)))
            process.start()
        for output in outputs:
            os.close(output)
        assert process.pid is not None
        while process.sentinel not in wait([process.sentinel, client]):
            if numbers := client.recv(16):
                for number in numbers:
                    os.kill(process.pid, number)
            else:
                process.kill()
                break
        process.join()
        code = process.exitcode or 0
        with suppress(OSError):
            client.sendall(bytes([code if code >= 0 else 128 - code]))


def _run(request: dict[str, Any], out: Any, err: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if request["ignored"] else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for output, descriptor in ((out, 1), (err, 2)):
        os.dup2(output.detach(), descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    _run_script(request["arguments"])


def _run_script(arguments: Sequence[str]) -> None:
    if arguments[:2] == ["-m", _TORCHRUN]:
        sys.argv = list(arguments[1:])
        runpy.run_module(_TORCHRUN, run_name="__main__", alter_sys=True)
        return
    script = Path(arguments[0]).absolute()
    sys.argv = [str(script), *arguments[1:]]
    # The shipped code comes before that of the repository.
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")
