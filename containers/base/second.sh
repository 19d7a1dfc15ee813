#!/bin/sh
# In PATH in the place of the agent: /usr/local/bin/<agent> leads here, /usr/local/lib/agentbox/first/<agent> to the agent.
#
# An agent that a tool starts (pi's sub-agents, `claude -p` in a script) is a tool itself: the first one's state is closed to
# it. It gets a state of its own, in memory, with what tools may read of the first one's, and the placeholders of the keys,
# which some agents take out of their tools' environment. None of this is a right: any tool could do it.
set -eu
LIBRARY=/usr/local/lib/agentbox

# take FROM TO NAME...: of what is there and can be read, files as copies, since agents write theirs, and folders as links.
take() {
    from=$1 to=$2
    shift 2
    mkdir -p "$to"
    for name; do
        if [ -e "$to/$name" ]; then continue; fi
        if [ -d "$from/$name" ]; then
            ln -s "$from/$name" "$to/$name" 2>/dev/null || :    # another one was faster
        elif [ -r "$from/$name" ]; then
            cat "$from/$name" >"$to/$name.$$" && mv "$to/$name.$$" "$to/$name"
        fi
    done
}

# What the person or the script has set itself stays.
placeholders() {
    while IFS='=' read -r name value; do
        eval "[ -n \"\${$name:-}\" ]" || export "$name=$value"
    done </etc/agentbox/placeholders
}

agent=
# It also defines second_agent, which fills $state, says in the environment where it is, and ends in exec.
# shellcheck source=/dev/null
. "$LIBRARY/prepare.sh"

# No confined process can open the probe.
if ! { true </etc/agentbox/probe; } 2>/dev/null; then
    state=${HOME:-/home/agent}/.second/$agent
    mkdir -p "$state"
    [ ! -r /etc/agentbox/placeholders ] || placeholders
    [ ! -t 2 ] || echo "agentbox: an agent started by a tool: no login but placeholders, and a state that ends with the session" >&2
    second_agent "$@"
fi
exec "$LIBRARY/first/$agent" "$@"
