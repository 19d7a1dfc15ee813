# says: Starts cat through the dynamic loader itself.
# stopped by: vault
# proof: canary
# source: direct ld.so
for loader in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do [ ! -e "$loader" ] || "$loader" /bin/cat "$SECRET"; done
