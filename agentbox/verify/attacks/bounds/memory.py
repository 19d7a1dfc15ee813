# says: Takes more memory than the container may have.
# stopped by: memory
# proof: output ^took
# source: out of memory
import os

child = os.fork()
if child == 0:
    open("/proc/self/oom_score_adj", "w").write("1000")
    size = int(os.environ["MEMORY"]) + (64 << 20)
    block = bytearray(b"x") * size
    print("took", len(block), flush=True)
    os._exit(0)
os.waitpid(child, 0)
