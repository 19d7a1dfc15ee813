# says: Puts another file in the credential's place.
# stopped by: vault
# proof: changed $SECRET
# source: rename
echo "$TOKEN" >"$OPEN.new"; mv -f "$OPEN.new" "$SECRET"; rm -f "$OPEN.new"
