# says: Calls openat by its number, past every wrapper of libc.
# stopped by: vault
# proof: canary
# source: raw system calls
import os

from attack import AT_FDCWD, call

fd = call("openat", AT_FDCWD, os.environ["SECRET"], 0, 0)
print(os.read(fd, 4096).decode())
