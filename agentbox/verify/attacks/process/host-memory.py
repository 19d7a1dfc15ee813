# says: Reads the memory of another program of the user's.
# stopped by: processes + vault
# as: tool agent
# proof: canary
# source: other processes of the same user
# engines: native
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os

from attack import bystander, stack_of

pid = bystander()
start, end = stack_of(pid)
with open(f"/proc/{pid}/mem", "rb", 0) as memory:
    print(os.pread(memory.fileno(), end - start, start).decode(errors="replace").replace("\0", "\n")[-20000:])
