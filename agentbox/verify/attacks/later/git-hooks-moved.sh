# says: Moves the folder of git hooks away and makes another.
# stopped by: hooks
# proof: changed /workspace/.git/hooks
# source: rename of an ancestor
mv "$WORK/.git/hooks" "$WORK/.git/old" && mkdir "$WORK/.git/hooks" && echo "$TOKEN" >"$WORK/.git/hooks/pre-commit"; rm -rf "$WORK/.git/old"
