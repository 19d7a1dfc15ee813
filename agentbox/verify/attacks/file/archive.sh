# says: Packs the state with tar and prints it.
# stopped by: vault
# proof: canary
# source: ordinary programs
tar -cf - "$SECRET_DIR" | tr -d '\0'
