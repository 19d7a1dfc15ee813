# says: Becomes the tracer of the agent.
# stopped by: vault + seccomp
# proof: output ^attached
# source: ptrace
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os

from attack import call

call("ptrace", 0x4206, int(os.environ["AGENT_PID"]), 0, 0)
print("attached")
