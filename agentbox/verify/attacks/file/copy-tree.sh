# says: Copies the whole state and looks through the copy.
# stopped by: vault
# proof: canary
# source: cp -r
cp -r "$SECRET_DIR" copy; cat "copy/${SECRET##*/}"; rm -rf copy
