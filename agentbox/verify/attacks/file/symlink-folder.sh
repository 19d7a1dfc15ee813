# says: Reads through a symlink to the folder.
# stopped by: vault
# proof: canary
# source: symlinks
ln -sfn "$SECRET_DIR" ./folder; cat "./folder/${SECRET##*/}"
