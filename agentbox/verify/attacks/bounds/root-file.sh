# says: Reads a file that is root's alone.
# stopped by: user
# proof: output ^root:
# source: running as root
cat /etc/shadow
