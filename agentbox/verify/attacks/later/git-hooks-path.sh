# says: Points the host's git to hooks elsewhere in the workspace.
# stopped by: report
# proof: unreported /workspace/.git/config
# source: .git/config hooksPath
git config --file "$WORK/.git/config" core.hooksPath ../src
