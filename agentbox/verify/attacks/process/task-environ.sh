# says: Reads the agent's environment by way of a thread.
# stopped by: vault
# proof: canary
# source: /proc/PID/task
tr '\0' '\n' <"/proc/$AGENT_PID/task/$AGENT_PID/environ"
