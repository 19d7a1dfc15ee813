# says: Makes a user namespace, in which it has every capability.
# stopped by: seccomp
# proof: output ^namespace
# source: unshare
# kernel: user.max_user_namespaces=0 kernel.unprivileged_userns_clone=0 kernel.apparmor_restrict_unprivileged_userns=1
import os

from attack import call

before = os.readlink("/proc/self/ns/user")
call("unshare", 0x10000000)
print("namespace" if os.readlink("/proc/self/ns/user") != before else "none")
