# says: Reads another process's memory with process_vm_readv.
# stopped by: seccomp
# proof: canary
# source: process_vm_readv
# kernel: kernel.yama.ptrace_scope=2 kernel.yama.ptrace_scope=3
import ctypes
import os
import time

from attack import vm_read

text = ctypes.create_string_buffer(200)
address, (ready, tell) = ctypes.addressof(text), os.pipe()
child = os.fork()
if child == 0:
    text.value = open(os.environ["PUBLIC"], "rb").read()
    os.write(tell, b"x")
    time.sleep(5)
    os._exit(0)
os.read(ready, 1)
try:
    print(vm_read(child, address, 200).decode(errors="replace"))
finally:
    os.kill(child, 9)
