# says: Puts a key into the kernel's key store, which is the host's too.
# stopped by: seccomp
# proof: output ^key [1-9]
# source: keyctl
# kernel: ENOSYS
from attack import call

print("key", call("add_key", b"user", b"agentbox-verify", b"x", 1, -2))
