# says: Packs the credential with tar and prints the archive.
# stopped by: vault
# proof: canary
# source: ordinary programs
tar -C "$SECRET_DIR" -cf - "${SECRET##*/}" | tr -d '\0'
