# says: Writes a credential file that is not there yet, and reads it.
# stopped by: vault
# proof: output ^planted-by
# source: path created later
echo "planted-by $TOKEN" >"$LATER"; cat "$LATER"; rm -f "$LATER"
