#!/bin/sh
# add-user.sh NAME UID GID: the user that agents run as has the numbers of the host's user, so that files made in
# /workspace belong to the right one.
#
# The numbers may be taken: 20 is a Mac's "staff" and Debian's "dialout", 1000 is the Node image's "node". A group that
# has the number is used as it is; a user that has it goes, since two names for one number make `id` lie.
set -eu
wanted=$1
uid=$2
gid=$3

case $uid$gid in *[!0-9]* | '') echo "add-user: not a number: $uid $gid" >&2; exit 1 ;; esac
if [ "$uid" = 0 ]; then echo "add-user: an agent does not run as root" >&2; exit 1; fi

remove_user() {
    sed -i "/^$1:/d" /etc/passwd
    sed -i "/^$1:/d" /etc/shadow
}

name_of() { awk -F: -v id="$2" '$3 == id { print $1; exit }' "$1"; }
taken() { grep -q "^$2:" "$1"; }

if taken /etc/passwd node; then remove_user node; rm -rf /home/node; fi
if taken /etc/group node; then sed -i '/^node:/d' /etc/group; fi
holder=$(name_of /etc/passwd "$uid")
if [ -n "$holder" ]; then remove_user "$holder"; fi

# A login name of the host (DOMAIN\someone, an.address@example.org) becomes one that Debian's tools accept.
name=$(printf '%s' "$wanted" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9_-' '_' | sed 's/^[^a-z_]*//' | cut -c 1-32)
if [ -z "$name" ] || taken /etc/passwd "$name"; then name=agent; fi

if [ -z "$(name_of /etc/group "$gid")" ]; then
    group=$name
    if taken /etc/group "$group"; then group=agentbox; fi
    echo "$group:x:$gid:" >>/etc/group
fi
echo "$name:x:$uid:$gid:agentbox:/home/agent:/bin/bash" >>/etc/passwd
echo "$name:!:1::::::" >>/etc/shadow
install -d -o "$uid" -g "$gid" -m 0700 /home/agent
