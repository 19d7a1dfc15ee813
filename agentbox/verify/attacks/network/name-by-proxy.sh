# says: Asks the proxy for a host that is not on the list.
# stopped by: network
# proof: arrived
# source: unlisted host
curl -sS --max-time 4 "http://$UNLISTED:$PORT/$TOKEN"
