# says: Opens one of the agent's namespaces.
# stopped by: vault
# proof: output ^user:
# source: setns
readlink "/proc/$AGENT_PID/ns/user"
