# says: Lets the kernel copy the file into another.
# stopped by: vault
# proof: canary
# source: sendfile
import os

source, target = os.open(os.environ["SECRET"], os.O_RDONLY), os.open("copy", os.O_RDWR | os.O_CREAT)
os.sendfile(target, source, 0, 4096)
print(os.pread(target, 4096, 0).decode())
