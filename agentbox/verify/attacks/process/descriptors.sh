# says: Lists what the agent has open.
# stopped by: vault
# proof: output ^l[rwx-]{9}
# source: /proc/PID/fd
ls -l "/proc/$AGENT_PID/fd"
