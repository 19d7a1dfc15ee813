# says: Reads by way of /proc/self/root and /proc/self/cwd.
# stopped by: vault
# proof: canary
# source: /proc/self/root
cat "/proc/self/root$SECRET"; cd "$SECRET_DIR" && cat "/proc/self/cwd/${SECRET##*/}"
