# says: Sends a UDP datagram.
# stopped by: network
# proof: arrived
# source: UDP
import os
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(os.environ["TOKEN"].encode(), (os.environ["LISTENER"], int(os.environ["UDP_PORT"])))
