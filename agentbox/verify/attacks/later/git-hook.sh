# says: Changes a git hook that the host runs at the next commit.
# stopped by: hooks
# proof: changed /workspace/.git/hooks
# source: .git/hooks
echo "touch /tmp/$TOKEN" >>"$WORK/.git/hooks/pre-commit"
