# says: Calls openat2 by its number.
# stopped by: vault
# proof: canary
# source: raw system calls
import os

from attack import AT_FDCWD, call

fd = call("openat2", AT_FDCWD, os.environ["SECRET"], bytes(24), 24)
print(os.read(fd, 4096).decode())
