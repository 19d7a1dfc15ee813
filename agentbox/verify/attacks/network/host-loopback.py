# says: Connects to a service on the host's own loopback.
# stopped by: network
# as: tool agent
# proof: arrived
# source: databases and development servers that trust whoever is local
# engines: native
import os
import socket

with socket.create_connection((os.environ["LISTENER"], int(os.environ["PORT"])), 3) as connection:
    connection.sendall(f"GET /{os.environ['TOKEN']} HTTP/1.0\r\n\r\n".encode())
    print(connection.recv(100))
