# says: Overwrites a secret of the workspace.
# stopped by: masks
# proof: changed /workspace/.env
# source: writes
echo "$TOKEN" >"$WORK/.env"
