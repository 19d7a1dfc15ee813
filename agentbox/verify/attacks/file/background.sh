# says: Reads from a process that has left its session and its parent.
# stopped by: vault
# proof: canary
# source: daemons
(setsid nohup sh -c 'sleep 0.3; cat "$SECRET"' & wait)
