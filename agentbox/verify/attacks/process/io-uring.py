# says: Sets up io_uring and reads a file with it.
# stopped by: seccomp
# proof: canary
# source: io_uring
import os

from attack import uring_read

print(uring_read(os.environ["PUBLIC"]))
