# says: Opens the file with O_PATH, and that again through /proc/self/fd.
# stopped by: vault
# proof: canary
# source: O_PATH
import os

handle = os.open(os.environ["SECRET"], os.O_PATH)
print(open(f"/proc/self/fd/{handle}").read())
