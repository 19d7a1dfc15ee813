# says: Sets up io_uring and reads a file with it.
# stopped by: seccomp
# proof: canary
# source: io_uring
# kernel: kernel.io_uring_disabled=1 kernel.io_uring_disabled=2 ENOSYS
import os

from attack import uring_read

print(uring_read(os.environ["PUBLIC"]))
