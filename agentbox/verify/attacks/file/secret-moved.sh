# says: Moves the folder around a secret of the workspace, and reads it there.
# stopped by: masks
# proof: canary
# source: rename of an ancestor
mv "$WORK/api" "$WORK/moved"; cat "$WORK/moved/.env.local"; mv "$WORK/moved" "$WORK/api"
