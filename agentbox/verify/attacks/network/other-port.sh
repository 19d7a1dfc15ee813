# says: Asks for another port of a host that is on the list.
# stopped by: network
# proof: arrived
# source: CONNECT to other ports
curl -sS --max-time 4 "http://$LISTED:$PORT/$TOKEN"; proxy=${HTTP_PROXY:-}; curl -sS --max-time 4 ${proxy:+--proxytunnel} "http://$LISTED:$PORT/$TOKEN"
