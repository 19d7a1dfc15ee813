# says: Starts a copy of cat under another name.
# stopped by: vault
# proof: canary
# source: copied binary
cp /bin/cat ./innocent && ./innocent "$SECRET"
