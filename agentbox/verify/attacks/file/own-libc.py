# says: Loads libc once more, under another name, that nothing has wrapped.
# stopped by: vault
# proof: canary
# source: dlmopen
import ctypes
import glob
import os
import shutil

shutil.copy(glob.glob("/lib/*-linux-gnu/libc.so.6")[0], "libc-copy.so")
libc = ctypes.CDLL("./libc-copy.so")
libc.open.restype = ctypes.c_int
print(os.read(libc.open(os.environ["SECRET"].encode(), 0), 4096).decode())
