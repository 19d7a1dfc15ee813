# says: Opens the file in Python.
# stopped by: vault
# proof: canary
# source: interpreters
import os

print(open(os.environ["SECRET"]).read())
