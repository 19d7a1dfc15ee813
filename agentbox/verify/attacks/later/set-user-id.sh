# says: Leaves a set-user-ID program of the user's.
# stopped by: report
# proof: unreported /workspace/tool
# source: set-user-ID
cp /bin/true "$WORK/tool" && chmod 4755 "$WORK/tool"
