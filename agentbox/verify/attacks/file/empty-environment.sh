# says: Reads with nothing in the environment, so that no preload could be asked for.
# stopped by: vault
# proof: canary
# source: env -i
env -i /bin/cat "$SECRET"
