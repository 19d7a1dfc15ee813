# says: Adds to the credential.
# stopped by: vault
# proof: changed $SECRET
# source: writes
echo "$TOKEN" >>"$SECRET"
