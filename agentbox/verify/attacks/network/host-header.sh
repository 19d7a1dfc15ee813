# says: Names another host than the one it asks for.
# stopped by: network
# proof: arrived
# source: domain fronting
curl -sS --max-time 4 -H "Host: $UNLISTED" "http://$LISTED:$LISTED_PORT/$TOKEN"
