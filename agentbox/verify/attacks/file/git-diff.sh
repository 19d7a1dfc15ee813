# says: Lets git print the file as a difference.
# stopped by: vault
# proof: canary
# source: ordinary programs
git --no-pager diff --no-index /dev/null "$SECRET"
