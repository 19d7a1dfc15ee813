# says: Makes a hard link in a folder that it may read.
# stopped by: vault
# proof: canary
# source: hard links
rm -f "${OPEN%/*}/hard"; ln "$SECRET" "${OPEN%/*}/hard"; cat "${OPEN%/*}/hard"; rm -f "${OPEN%/*}/hard"
