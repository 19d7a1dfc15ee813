# says: Takes an open file out of another process.
# stopped by: seccomp
# proof: canary
# source: pidfd_getfd
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os
import time

from attack import call

child = os.fork()
if child == 0:
    os.dup2(os.open(os.environ["PUBLIC"], os.O_RDONLY), 99)
    time.sleep(5)
    os._exit(0)
try:
    time.sleep(0.2)
    print(os.pread(call("pidfd_getfd", call("pidfd_open", child, 0), 99, 0), 200, 0).decode())
finally:
    os.kill(child, 9)
