# says: Starts a static program by execveat with an empty path.
# stopped by: vault
# proof: canary
# source: execveat AT_EMPTY_PATH
import ctypes
import os

from attack import call, static_reader

program = os.memfd_create("x")
os.write(program, static_reader(os.environ["SECRET"]))
call("execveat", program, b"", (ctypes.c_char_p * 2)(b"x", None), None, 0x1000)
