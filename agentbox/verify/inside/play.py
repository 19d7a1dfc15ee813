"""play.py SCRIPT [--outside]: the scripted model beside the agent. It asks for the calls of SCRIPT, one after another.

What a call returned goes to out/ as runner.py does it, before the agent gets its next answer. Also a stand-in: for
another session's program, it hands a canary to whoever reaches its abstract socket; and for the agent, where a control
has none.
"""

import ctypes
import json
import os
import socket
import sys
import threading
from pathlib import Path

import fake_model
from model_script import Read, Shell, Write, tool_results
from runner import report

HERE = Path(__file__).resolve().parent


class Reporting(fake_model.Server):
    """Tells the host of each result before the request that brought it is answered."""

    def __init__(self, address, calls, log):
        self.numbers = {id(step): number for number, step in calls}
        self.told = set()
        super().__init__(address, [step for _, step in calls], log)

    def note(self, request):
        super().note(request)
        for call, text in tool_results(request.body):
            number = self.numbers.get(id(self.asked.get(call)))
            if number is not None and number not in self.told:
                self.told.add(number)
                report(number, text)


def step(call):
    """A call of the script: `read` and `write` are whatever the agent's tools of that kind are called."""
    kind = call["call"]
    if kind == "shell":
        return Shell(call["command"], call["timeout"])
    return Read(call["path"]) if kind == "read" else Write(call["path"], call["content"])


def give_out(name, secret):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(f"\0agentbox-verify-{name}")
        server.listen()
        while True:
            with server.accept()[0] as connection:
                connection.sendall(secret.encode())


def stand_in():
    """Be what attacks on the agent's process are directed at. Yama, where a kernel has it, may not stop them first."""
    set_ptracer, anybody = 0x59616D61, -1
    ctypes.CDLL(None).prctl(set_ptracer, ctypes.c_long(anybody), 0, 0, 0)
    (HERE / "stand-in").write_text(str(os.getpid()))


def main():
    script = json.loads(Path(sys.argv[1]).read_text())
    threading.Thread(target=give_out, args=(script["name"], script["socket"]), daemon=True).start()
    if script["stand_in"]:
        stand_in()
        (HERE / "ready").touch()
        threading.Event().wait()
    if sys.argv[2:]:
        # Of a killed agentbox nothing stays.
        threading.Thread(target=lambda: os._exit(len(sys.stdin.read())), daemon=True).start()
    calls = [(call.get("number"), step(call)) for call in script["calls"]]
    server = Reporting(("127.0.0.1", script["port"]), calls, (HERE / "requests").open("a"))
    (HERE / "ready").touch()
    server.serve_forever()


if __name__ == "__main__":
    main()
