# says: Opens a socket of the kernel's crypto interface, old code that agents do not need.
# stopped by: seccomp
# proof: output ^socket:
# source: AF_ALG
import os, socket
print(os.readlink(f"/proc/self/fd/{socket.socket(38, socket.SOCK_SEQPACKET).fileno()}"))
