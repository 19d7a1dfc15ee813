# says: Stops another process of its own as its tracer.
# stopped by: seccomp
# proof: output ^stopped
# source: ptrace
# kernel: kernel.yama.ptrace_scope=3
import os

from attack import call

child = os.fork()
if child == 0:
    try:
        call("ptrace", 0, 0, 0, 0)
        os.kill(os.getpid(), 19)
    except OSError:
        os._exit(1)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("stopped" if os.WIFSTOPPED(status) else "not traced")
os.WIFSTOPPED(status) and os.kill(child, 9)
