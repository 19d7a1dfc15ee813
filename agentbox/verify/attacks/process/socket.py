# says: Talks to another program through its abstract socket.
# stopped by: vault
# proof: canary
# source: abstract sockets
import os
import socket

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.connect("\0agentbox-verify-" + os.environ["SOCKET"])
    print(connection.recv(200).decode())
