# says: Asks the proxy for a raw address.
# stopped by: network
# proof: arrived
# source: raw address through the proxy
curl -sS --max-time 4 "http://$LISTENER:$PORT/$TOKEN"
