"""A stand-in for an agent on Python: agent.py HOW PROGRAM. Reads its credential, then starts PROGRAM as HOW says."""

import asyncio
import multiprocessing
import os
import pty
import subprocess
import sys

CREDENTIAL = "/mnt/agent/auth.json"


def spawned(spawn):
    return os.waitstatus_to_exitcode(os.waitpid(spawn(PROGRAM, [PROGRAM], os.environ), 0)[1])


def forked():
    pid = os.fork()
    if pid == 0:
        os.execve(PROGRAM, [PROGRAM], dict(os.environ))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def popen():
    with os.popen(PROGRAM) as stream:
        print(stream.read())
        status = stream.close()
    return os.waitstatus_to_exitcode(status or 0)


async def asynchronous():
    return await (await asyncio.create_subprocess_exec(PROGRAM)).wait()


def read():
    try:
        with open(CREDENTIAL) as stream:
            print(stream.read())
    except PermissionError:
        sys.exit(1)


def multiprocess():
    process = multiprocessing.get_context("spawn").Process(target=read)
    process.start()
    process.join()
    return process.exitcode


HOW = {
    "subprocess": lambda: subprocess.run([PROGRAM]).returncode,
    "subprocess_shell": lambda: subprocess.run(PROGRAM, shell=True).returncode,
    "subprocess_open_fds": lambda: subprocess.run([PROGRAM], close_fds=False).returncode,
    "subprocess_preexec": lambda: subprocess.run([PROGRAM], preexec_fn=os.getpid).returncode,
    "subprocess_session": lambda: subprocess.run([PROGRAM], start_new_session=True).returncode,
    "subprocess_no_environment": lambda: subprocess.run([PROGRAM], env={}).returncode,
    "os_posix_spawn": lambda: spawned(os.posix_spawn),
    "os_posix_spawnp": lambda: spawned(os.posix_spawnp),
    "os_system": lambda: os.waitstatus_to_exitcode(os.system(PROGRAM)),
    "os_popen": popen,
    "os_fork_execve": forked,
    "os_spawnv": lambda: os.spawnv(os.P_WAIT, PROGRAM, [PROGRAM]),
    "pty_spawn": lambda: os.waitstatus_to_exitcode(pty.spawn([PROGRAM])),
    "asyncio": lambda: asyncio.run(asynchronous()),
    "multiprocessing": multiprocess,
}

if __name__ == "__main__":
    how, PROGRAM = sys.argv[1:3]
    with open(CREDENTIAL) as stream:
        stream.read()
    status = HOW[how]()
    with open(CREDENTIAL) as stream:
        stream.read()
    sys.exit(status)
