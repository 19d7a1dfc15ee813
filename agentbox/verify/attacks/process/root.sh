# says: Reads the credential by way of the agent's own root.
# stopped by: vault
# proof: canary
# source: /proc/PID/root
cat "/proc/$AGENT_PID/root$SECRET"
