# says: Makes a user namespace, in which it has every capability.
# stopped by: seccomp
# proof: output ^namespace
# source: unshare
import os

from attack import call

before = os.readlink("/proc/self/ns/user")
call("unshare", 0x10000000)
print("namespace" if os.readlink("/proc/self/ns/user") != before else "none")
