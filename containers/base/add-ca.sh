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

mkdir -p "$store"
cat "$@" | awk -v dir="$store" '
    /-----BEGIN CERTIFICATE-----/ { file = sprintf("%s/%04d.crt", dir, ++n) }
    file { print > file }
    /-----END CERTIFICATE-----/ { close(file); file = "" }'
update-ca-certificates --fresh >/dev/null 2>&1
