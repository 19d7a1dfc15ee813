# says: Asks for a file's handle, which names it without a path.
# stopped by: seccomp
# proof: output ^handle
# source: open_by_handle_at
import ctypes
import os

from attack import AT_FDCWD, call

handle = ctypes.create_string_buffer(b"\x80\0\0\0", 8 + 128)
call("name_to_handle_at", AT_FDCWD, os.environ["WORK"].encode(), handle, ctypes.create_string_buffer(8), 0)
print("handle", handle.raw[8:16].hex())
