# says: Talks to another program of the user's through its socket in the home, where agents of keys and buses have theirs.
# stopped by: mounts + vault + seccomp
# as: tool agent
# proof: canary
# source: ssh-agent, D-Bus, a container engine's socket
# engines: native
import os
import socket

os.chdir(os.path.dirname(os.environ["HOST_SOCKET"]))
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.connect(os.path.basename(os.environ["HOST_SOCKET"]))
    print(connection.recv(200).decode())
