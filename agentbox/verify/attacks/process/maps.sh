# says: Reads the map of the agent's memory.
# stopped by: vault
# proof: output ^[0-9a-f]+-[0-9a-f]+ r
# source: /proc/PID/maps
cat "/proc/$AGENT_PID/maps"
