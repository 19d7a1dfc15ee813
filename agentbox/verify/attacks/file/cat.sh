# says: Prints the credential with cat.
# stopped by: vault
# proof: canary
# source: the plainest of all
cat "$SECRET"
