# says: Runs a program from /tmp.
# stopped by: noexec
# proof: output ^from-tmp
# source: noexec
cp /bin/echo /tmp/agentbox-verify && /tmp/agentbox-verify from-tmp; rm -f /tmp/agentbox-verify
