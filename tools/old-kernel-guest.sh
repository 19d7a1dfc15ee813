#!/bin/bash
# Runs in the guest of tools/old-kernel.sh, as a user who has logged in. Says `result: <check>: ok` or `FAILED` of each
# check, and `result: all: ok` where none failed. "old-kernel.checks=a,b" among the kernel's words names those to run.
set -u
export PATH=$HOME/venv/bin:$PATH LANG=C.UTF-8 TERM=dumb
ONLY=$(sed -n 's/.*old-kernel.checks=\([^ ]*\).*/\1/p' /proc/cmdline)
CHECKS="doctor run alone limits truncate truncate_alone verify verify_alone"
ABI=$(python3 -c 'from agentbox.native import landlock; print(landlock.abi())')
NATIVE="--engine native --network none"
failed=0

# A folder of links to all programs but bwrap.
without_bubblewrap() {
    mkdir -p ~/without
    find /usr/bin /usr/sbin -mindepth 1 ! -name bwrap -exec ln -sf -t ~/without {} +
    PATH=$HOME/venv/bin:$HOME/without
    ! command -v bwrap
}

# Without Landlock nothing starts, in one line.
refused() { [ "$ABI" = 0 ] && [ "$1" = 125 ] && grep -q 'no Landlock' "$2"; }

started() {
    # shellcheck disable=SC2086 # words
    agentbox run pi $NATIVE -- --version >out 2>said
    code=$?
    cat out said
    refused $code said && return
    [ "$code" = 0 ] && grep -q '^[0-9.]*$' out || return 1
    # What this Landlock does not have is said.
    [ "$ABI" -ge 6 ] || grep -q "Landlock ABI $ABI of this kernel does not cover" said
}

doctor() {
    agentbox doctor >said
    grep -A 2 -E 'native\.|kernel\.|limits' said
    case $ABI in
    0) grep -q "native.landlock: the host's kernel has no Landlock" said ;;
    *) grep -q "Landlock ABI $ABI" said && ! grep -q native.limits said && { [ "$ABI" -ge 6 ] || grep -q 'does not cover' said; } ;;
    esac
}

run() { started; }
alone() (without_bubblewrap && started)

# What a tool gets: 300 MB where the session has 128, and where it has a gigabyte.
hungry() {
    mkdir -p ~/.config/agentbox
    printf '[limits]\nmemory = "%s"\ncpus = 0.5\n' "$1" >~/.config/agentbox/config.toml
    # shellcheck disable=SC2086 # words
    agentbox shell pi $NATIVE -- bash -c '
        python3 -c "bytearray(300 << 20); print(\"had it\")" || echo "ended with $?"'
    rm ~/.config/agentbox/config.toml
}

limits() {
    [ "$ABI" != 0 ] || return 0
    systemctl --user is-system-running
    hungry 1g >roomy 2>&1
    hungry 128m >tight 2>&1 &
    for _ in $(seq 300); do
        scope=$(find "/sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service" -name 'run-*.scope' | head -n 1)
        [ -n "$scope" ] && [ "$(cat "$scope/memory.max")" = 134217728 ] && break
        sleep 0.2
    done
    bounds=$(cat "$scope/memory.max" "$scope/memory.swap.max" "$scope/cpu.max" | tr '\n' ' ')
    wait
    echo "roomy: $(cat roomy)"; echo "tight: $(cat tight)"; echo "the scope has: $bounds"
    grep -q 'had it' roomy && grep -q 'ended with 137' tight && [ "$bounds" = "134217728 0 50000 100000 " ]
}

# Whether a tool can empty a file that is read-only for tools, by calls of its own: no preload is asked.
truncate() {
    [ "$ABI" != 0 ] || return 0
    gcc -static -D_GNU_SOURCE -o empty ~/agentbox/tests/attacks/src/empty.c
    mkdir -p ~/.pi/agent
    for way in truncate openat openat-neither openat-high-bits openat2 open; do
        echo '{}' >~/.pi/agent/settings.json
        # shellcheck disable=SC2086,SC2088 # words; the path is one of the sandbox
        agentbox shell pi $NATIVE -- sh -c "./empty $way ~/.pi/agent/settings.json"
        size=$(stat -c %s ~/.pi/agent/settings.json)
        echo "$way: $size bytes are left"
        [ "$size" = 3 ] || return 1
    done
}
truncate_alone() (without_bubblewrap && truncate)

# The attacks whose end depends on the ABI. None gets through: an older kernel's are not claimed.
BY_ABI="--only file/truncate --only process/signal --only process/socket --only process/host-signal"

verified() {
    [ "$ABI" != 0 ] || return 0
    # shellcheck disable=SC2086 # words
    agentbox verify pi --engine native $BY_ABI 2>&1 | tee said
    [ "${PIPESTATUS[0]}" = 0 ] || return 1
    # What this kernel cannot, and only that, is said.
    [ "$ABI" -ge 6 ] || grep -q 'Linux before 6\.12:' said || return 1
    [ "$ABI" -lt 6 ] || ! grep -q 'Linux before' said
}

verify() { verified; }
verify_alone() (without_bubblewrap && verified)

uname -r
echo "Landlock ABI $ABI; $(cat /sys/kernel/security/lsm)"
for check in $(echo "${ONLY:-$CHECKS}" | tr , " "); do
    echo "== $check ($SECONDS s)"
    if "$check"; then echo "result: $check: ok"; else echo "result: $check: FAILED"; failed=1; fi
done 2>&1
[ "$failed" = 1 ] || echo "result: all: ok"
