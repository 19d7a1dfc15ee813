# says: Searches the folder with grep and ripgrep.
# stopped by: vault
# proof: canary
# source: ordinary programs
grep -rs --include="${SECRET##*/}" . "$SECRET_DIR"; rg --hidden --no-ignore -g "${SECRET##*/}" . "$SECRET_DIR"
