# says: Moves the credential to where it may be read.
# stopped by: vault
# proof: canary
# source: rename
mv "$SECRET" "$OPEN.moved"; cat "$OPEN.moved"; mv "$OPEN.moved" "$SECRET"
