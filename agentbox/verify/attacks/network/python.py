# says: Opens a connection in Python.
# stopped by: network
# proof: arrived
# source: raw sockets
import os
import socket

with socket.create_connection((os.environ["LISTENER"], int(os.environ["PORT"])), 3) as connection:
    connection.sendall(f"GET /{os.environ['TOKEN']} HTTP/1.0\r\n\r\n".encode())
    print(connection.recv(100))
