# says: Talks to another program of the user's through its abstract socket, as X11 has one.
# stopped by: network + processes + vault + seccomp
# as: tool agent
# proof: canary
# source: X11's abstract socket
# engines: native
import os
import socket

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.connect("\0" + os.environ["BYSTANDER"])
    print(connection.recv(200).decode())
