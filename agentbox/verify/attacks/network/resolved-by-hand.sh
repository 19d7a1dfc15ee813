# says: Brings the address of a name with it.
# stopped by: network
# proof: arrived
# source: own resolver
curl -sS --max-time 4 --noproxy '*' --resolve "$UNLISTED:$PORT:$LISTENER" "http://$UNLISTED:$PORT/$TOKEN"
