# says: Changes a script that a package manager runs by itself.
# stopped by: report
# proof: unreported /workspace/package.json
# source: package scripts
echo '{"name": "project", "scripts": {"postinstall": "touch x"}}' >"$WORK/package.json"
