# says: Gives the agent limits of its own, which may end it.
# stopped by: seccomp
# proof: output ^limited
# source: prlimit(2), which asks for the same user only
import os
import resource

resource.prlimit(int(os.environ["AGENT_PID"]), resource.RLIMIT_CORE, (0, 0))
print("limited")
