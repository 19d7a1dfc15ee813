# says: Has no proxy in its environment.
# stopped by: network
# proof: arrived
# source: proxy variables unset
env -i curl -sS --max-time 4 "http://$LISTENER:$PORT/$TOKEN"
