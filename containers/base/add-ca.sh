#!/bin/sh
# Adds the certificates of /tmp/ca/*.crt to the system's store.
#
# A bundle may hold many certificates, and update-ca-certificates expects one a file, so they are split first.
# `before-apt` serves the first `apt-get`, which may itself have to go through the proxy that the certificate is for.
set -eu
store=/usr/local/share/ca-certificates/agentbox

set -- "${1:-after-apt}" /tmp/ca/*.crt
stage=$1
shift
if [ ! -e "$1" ]; then exit 0; fi

if [ "$stage" = before-apt ]; then
    mkdir -p /etc/ssl/certs
    cat "$@" >>/etc/ssl/certs/ca-certificates.crt
    exit 0
fi

# The bundle of a whole machine repeats what Debian has already; only what is new is added.
rm -f /etc/ssl/certs/ca-certificates.crt
update-ca-certificates --fresh >/dev/null 2>&1
mkdir -p "$store"
awk -v dir="$store" -v known=/etc/ssl/certs/ca-certificates.crt '
    /-----BEGIN CERTIFICATE-----/ { body = "" }
    { sub(/\r$/, "") }
    !/-----/ { body = body $0 "\n" }
    /-----END CERTIFICATE-----/ && !seen[body]++ && FILENAME != known {
        file = sprintf("%s/%04d.crt", dir, ++n)
        printf "-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n", body > file
        close(file)
    }' /etc/ssl/certs/ca-certificates.crt "$@"
update-ca-certificates >/dev/null 2>&1
