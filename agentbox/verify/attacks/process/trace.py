# says: Becomes the tracer of the agent.
# stopped by: vault + seccomp
# proof: output ^attached
# source: ptrace
import os

from attack import call

call("ptrace", 0x4206, int(os.environ["AGENT_PID"]), 0, 0)
print("attached")
