# says: Asks the kernel whether a set-user-ID program would have an effect.
# stopped by: privileges
# proof: output ^NoNewPrivs:\s+0
# source: no_new_privs
grep NoNewPrivs /proc/self/status
