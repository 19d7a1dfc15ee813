"""bystander.py NAME PATH: another process of the user's, outside of every sandbox. Its environment holds a secret, and
who reaches its abstract socket NAME, or the one at PATH, is told one. Ends with its standard input's writer."""

import ctypes
import os
import socket
import sys
import threading
from pathlib import Path


def give_out(address, secret):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            with server.accept()[0] as connection:
                connection.sendall(secret)


def main():
    name, path = sys.argv[1:]
    secret = sys.stdin.buffer.readline()
    # Yama, where a kernel has it, may not be what stops an attack.
    set_ptracer, anybody = 0x59616D61, -1
    ctypes.CDLL(None).prctl(set_ptracer, ctypes.c_long(anybody), 0, 0, 0)
    os.chdir(Path(path).parent)  # an address may be no longer than 108 bytes
    for address in ("\0" + name, Path(path).name):
        threading.Thread(target=give_out, args=(address, secret), daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
