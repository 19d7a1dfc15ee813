# says: Reads the secrets of the workspace.
# stopped by: masks
# proof: canary
# source: .env files
cat "$WORK/.env" "$WORK/api/.env.local" "$WORK/.secrets/token" "$WORK/gh_token"
