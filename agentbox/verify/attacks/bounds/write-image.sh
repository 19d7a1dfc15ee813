# says: Leaves a program in the image for whoever comes next.
# stopped by: rootfs
# proof: output ^left-in-the-image
# source: writable root
echo "left-in-the-image $TOKEN" >/var/tmp/left; cat /var/tmp/left
