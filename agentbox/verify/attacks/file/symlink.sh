# says: Reads through a symlink in the workspace.
# stopped by: vault
# proof: canary
# source: symlinks
ln -sfn "$SECRET" ./innocent; cat ./innocent
