#!/bin/bash
uname -r; id; echo "XDG $XDG_RUNTIME_DIR"; cat /proc/self/cgroup; cat /sys/kernel/security/lsm; cat /proc/cmdline
export PATH=$HOME/venv/bin:$PATH LANG=C.UTF-8
python3 -c 'from agentbox.native import landlock; print("ABI", landlock.abi())'
agentbox doctor
time agentbox run pi --engine native --network none -- --version
systemd-run --user --scope --property=MemoryMax=1G true; echo "systemd-run $?"
for e in "" ; do time agentbox verify pi --engine native; echo "verify $?"; done
time agentbox run pi --engine native -- --version
echo "result: all: ok"
