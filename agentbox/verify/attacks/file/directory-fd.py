# says: Opens the folder first, then the file below its descriptor.
# stopped by: vault
# proof: canary
# source: dirfd
import os

folder = os.open(os.environ["SECRET_DIR"], os.O_PATH)
name = os.environ["SECRET"].rpartition("/")[2]
print(os.read(os.open(name, os.O_RDONLY, dir_fd=folder), 4096).decode())
