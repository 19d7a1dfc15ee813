# says: Reads the agent's environment.
# stopped by: vault
# proof: canary
# source: /proc/PID/environ
tr '\0' '\n' <"/proc/$AGENT_PID/environ"
