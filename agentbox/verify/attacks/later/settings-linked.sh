# says: Puts a symlink to the workspace in the place of the settings.
# stopped by: vault
# proof: changed $SETTINGS
# source: symlinks
ln -sfn "$WORK"/evil.json "$SETTINGS"
