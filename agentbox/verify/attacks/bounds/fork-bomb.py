# says: Makes more processes than the container may have.
# stopped by: pids
# proof: output ^all-of-them
# source: fork bomb
import os

ready, tell = os.pipe()
wanted, made = int(os.environ["PIDS"]) + 10, []
try:
    while len(made) < wanted:
        child = os.fork()
        if child == 0:
            os.read(ready, 1)
            os._exit(0)
        made.append(child)
    print("all-of-them", len(made))
except OSError as error:
    print(len(made), error)
finally:
    os.write(tell, b"x" * max(1, len(made)))
