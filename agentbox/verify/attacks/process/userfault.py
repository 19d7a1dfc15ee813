# says: Handles its own page faults, a tool of kernel exploits.
# stopped by: seccomp
# proof: output ^anon_inode:
# source: userfaultfd
# kernel: ENOSYS
import os

from attack import call

print(os.readlink(f"/proc/self/fd/{call('userfaultfd', 1)}"))
