# says: Changes what every shell of the container runs.
# stopped by: rootfs + user
# proof: output ^changed-by-attack
# source: writable root
echo "changed-by-attack" >>/etc/profile; tail -n 1 /etc/profile
