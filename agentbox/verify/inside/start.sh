#!/bin/sh
# start.sh [--bare] COMMAND...: what the image's entrypoint does, with the scripted model beside it.
#
# Comes in the launch chain between agentbox-launch and the entrypoint, and is one process with them and the agent. --bare
# is the container without the vault: there a tool is started as it is.
export HOME=/home/agent PYTHONDONTWRITEBYTECODE=1
bare=
if [ "${1:-}" = --bare ]; then bare=1; shift; fi
echo $$ >/verify/chain
if [ -e /verify/script.json ]; then
    python3 /verify/play.py /verify/script.json >/verify/play.log 2>&1 </dev/null &
    waited=0
    until [ -e /verify/ready ] || [ $waited -ge 100 ]; do sleep 0.05; waited=$((waited + 1)); done
fi
if [ -n "$bare" ] && [ "${1:-}" = python3 ]; then
    # The entrypoint would hand a tool to agentbox-launch, and has links in the home before.
    tab=$(printf '\t')
    while IFS="$tab" read -r link target; do
        mkdir -p "$(dirname "$HOME/$link")"
        ln -sfn "$target" "$HOME/$link"
    done </etc/agentbox/links
    exec "$@"
fi
exec /bin/sh /entrypoint.sh "$@"
