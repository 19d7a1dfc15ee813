# says: Reads the agent's memory with process_vm_readv.
# stopped by: vault + seccomp
# proof: canary
# source: process_vm_readv
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os

from attack import stack_of, vm_read

start, end = stack_of(os.environ["AGENT_PID"])
print(vm_read(int(os.environ["AGENT_PID"]), end - 16384, 16384).decode(errors="replace").replace("\0", "\n"))
