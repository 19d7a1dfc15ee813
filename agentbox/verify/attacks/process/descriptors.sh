# says: Asks what the agent has open.
# stopped by: vault
# proof: output ^(/|pipe:|socket:|anon_inode:)
# source: /proc/PID/fd
for each in "/proc/$AGENT_PID/fd"/*; do readlink "$each"; done
