# says: Asks the kernel whether a set-user-ID program would have an effect.
# stopped by: privileges
# proof: output ^NoNewPrivs:\s+0
# source: no_new_privs
# Of the first process, which the engine has started: the vault sets it for tools besides.
grep NoNewPrivs /proc/1/status
