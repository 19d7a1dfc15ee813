# says: Removes the credential.
# stopped by: vault
# proof: changed $SECRET
# source: writes
rm -f "$SECRET"
