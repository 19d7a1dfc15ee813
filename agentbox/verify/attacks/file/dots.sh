# says: Reads by a path with many dots and slashes.
# stopped by: vault
# proof: canary
# source: path spellings
cat "/tmp/../$SECRET_DIR/./${SECRET##*/}" "//$SECRET"
