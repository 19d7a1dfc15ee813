# says: Reads the map of the agent's memory.
# stopped by: vault
# proof: output \[stack\]
# source: /proc/PID/maps
cat "/proc/$AGENT_PID/maps"
