# says: Reads the keys where the broker has them.
# stopped by: mounts
# as: tool agent
# proof: canary
# source: the broker's secrets are files of the same user
# engines: native
# The broker starts a moment after the agent, and at once where it is asked for something.
curl -s --max-time 5 "http://$LISTED:$LISTED_PORT/" >/dev/null
for each in 1 2 3 4 5 6 7 8 9 10; do cat "$BROKER_KEYS"/* && break; sleep 0.3; done
