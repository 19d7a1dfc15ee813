# says: Lets io_uring open and read the file, without a system call that says so.
# stopped by: vault + seccomp
# proof: canary
# source: io_uring
# kernel: kernel.io_uring_disabled=1 kernel.io_uring_disabled=2 ENOSYS
import os

from attack import uring_read

print(uring_read(os.environ["SECRET"]))
