# says: Empties the credential.
# stopped by: vault
# proof: changed $SECRET
# source: writes
: >"$SECRET"; truncate -s 0 "$SECRET"
