# says: Asks where the agent stands.
# stopped by: vault
# proof: output ^/
# source: /proc/PID/cwd
readlink "/proc/$AGENT_PID/cwd"
