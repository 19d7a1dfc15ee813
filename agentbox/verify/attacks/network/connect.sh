# says: Asks the proxy for a tunnel to a host that is not on the list.
# stopped by: network
# proof: arrived
# source: CONNECT
proxy=${HTTP_PROXY:-${http_proxy:-}}; curl -sS --max-time 4 ${proxy:+--proxytunnel} "http://$UNLISTED:$PORT/$TOKEN"
