# says: Takes a copy of one of the agent's open files.
# stopped by: vault + seccomp
# proof: output ^copied
# source: pidfd_getfd
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os

from attack import call

agent = call("pidfd_open", int(os.environ["AGENT_PID"]), 0)
print("copied", os.readlink(f"/proc/self/fd/{call('pidfd_getfd', agent, 1, 0)}"))
