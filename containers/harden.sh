#!/bin/sh
# The last step of every image: nothing in it raises privileges or takes a namespace apart.
#
# The container runs without capabilities, with no_new_privs and under seccomp, so none of this is what stops an
# attacker; it is what he does not find, should one of those three be missing on somebody's engine.
set -eu

# Set-user-ID and set-group-ID, on whatever package brought it.
find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -perm /6000 -exec chmod ug-s {} +

# By name: changing user, mounting, namespaces, passwords, other roots.
for tool in \
    su sudo doas sg runuser pkexec login newgrp setpriv \
    mount umount losetup swapon swapoff pivot_root switch_root chroot \
    nsenter unshare \
    passwd chsh chfn chage gpasswd expiry chpasswd newusers \
    newuidmap newgidmap unix_chkpwd ssh-keysign
do
    for dir in /usr/bin /usr/sbin /bin /sbin /usr/local/bin /usr/local/sbin; do rm -f "$dir/$tool"; done
    # Some live in a directory of their own package.
    find /usr/lib /usr/libexec -xdev -type f -name "$tool" -delete 2>/dev/null || true
done
