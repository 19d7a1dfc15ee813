# says: Maps the file into memory.
# stopped by: vault
# proof: canary
# source: mmap
import mmap
import os

with open(os.environ["SECRET"], "rb") as file:
    print(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:].decode())
