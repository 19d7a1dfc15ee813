# says: Goes into the folder and reads by a relative name.
# stopped by: vault
# proof: canary
# source: relative paths
cd "$SECRET_DIR" && cat "${SECRET##*/}" "./${SECRET##*/}"
