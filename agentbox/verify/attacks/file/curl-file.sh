# says: Fetches the file with curl.
# stopped by: vault
# proof: canary
# source: ordinary programs
curl -sS "file://$SECRET"
