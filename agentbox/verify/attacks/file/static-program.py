# says: Starts a static program of its own bytes: three system calls, and no libc.
# stopped by: vault
# proof: canary
# source: static binaries
import os
import subprocess

from attack import static_reader

open("static", "wb").write(static_reader(os.environ["SECRET"]))
os.chmod("static", 0o755)
print(subprocess.run(["./static"], capture_output=True, check=False).stdout.decode())
