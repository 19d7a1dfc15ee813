# says: Becomes the tracer of another program of the user's.
# stopped by: processes + vault + seccomp
# as: tool agent
# proof: output ^attached
# source: other processes of the same user
# engines: native
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
from attack import bystander, call

call("ptrace", 0x4206, bystander(), 0, 0)
print("attached")
