# says: Searches the state with grep and ripgrep.
# stopped by: vault
# proof: canary
# source: ordinary programs
grep -rs . "$STATE"; rg --hidden --no-ignore . "$STATE"
