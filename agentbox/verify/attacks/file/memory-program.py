# says: Starts a static program that is no file at all, from memory.
# stopped by: vault
# proof: canary
# source: memfd
import os

from attack import static_reader

program = os.memfd_create("x")
os.write(program, static_reader(os.environ["SECRET"]))
os.execve(program, ["x"], {})
