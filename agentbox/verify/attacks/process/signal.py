# says: Sends the agent a signal.
# stopped by: vault
# proof: output ^delivered
# source: SIGUSR1 opens Node's inspector
import os

os.kill(int(os.environ["AGENT_PID"]), 0)
print("delivered")
