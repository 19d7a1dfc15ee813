# says: Follows an allowed host to one that is not.
# stopped by: network
# proof: arrived
# source: redirects
curl -sSL --max-time 5 "http://$LISTED:$LISTED_PORT/redirect/$TOKEN"
