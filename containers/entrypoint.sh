#!/bin/sh
# The second link of the launch chain: agentbox-launch -> this -> (env ->) the agent, all one process.
#
# As a link of the chain this shell itself may still open the agent's credentials; the programs that it starts may not.
# So a protected file is touched only through the shell's own redirections.
set -eu

LIBRARY=/usr/local/lib/agentbox
LINKS=/etc/agentbox/links
TAB='	'
export HOME=/home/agent

# $HOME is empty at each start; the agent's own state comes in from /agent.
make_links() {
    [ -r "$LINKS" ] || return 0
    while IFS="$TAB" read -r link target; do
        case $link in '' | '#'*) continue ;; /*) ;; *) link=$HOME/$link ;; esac
        [ -d "${link%/*}" ] || mkdir -p "${link%/*}"
        ln -sfn "$target" "$link"
    done <"$LINKS"
}

# Once a model runs: a tool that could open the terminal too would read what is typed. Natively it is the user's, whose shell
# goes on in it.
close_terminal() {
    [ "${AGENTBOX_TERMINAL:-}" != own ] || agentbox-launch --exclusive
}

# Each image brings its own prepare.sh. It sets `agent`, the command to run, and may define prepare_agent, which is
# called when it is the agent that is about to run (and not a shell, say), with the agent's arguments.
agent=
# shellcheck source=/dev/null
. "$LIBRARY/prepare.sh"

make_links

# `docker run IMAGE -p hello` means the agent, and so does no argument at all.
case ${1:-} in '' | -*) [ -n "${1:-}" ] || [ $# -eq 0 ] || shift; set -- "$agent" "$@" ;; esac

if [ "$1" = "$agent" ]; then
    shift
    # Where logins are answered (agentbox run --login): the agents listen on the container's loopback.
    # shellcheck disable=SC2086  # ports are words
    if [ -n "${AGENTBOX_LOGIN_PORTS:-}" ]; then python3 -I "$LIBRARY/forward.py" $AGENTBOX_LOGIN_PORTS & fi
    prepare_agent "$@"       # ends in exec
fi
# Anything else is a tool from its first instruction on, also where it is a static program.
exec agentbox-launch --tool "$@"
