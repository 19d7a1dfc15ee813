# says: Exchanges the credential with a file that it may read.
# stopped by: vault
# proof: changed $SECRET
# source: renameat2
mv --exchange "$SECRET" "$OPEN"
