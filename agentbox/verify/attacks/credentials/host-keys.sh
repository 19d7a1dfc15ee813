# says: Looks for SSH and cloud keys of the host.
# stopped by: mounts
# proof: canary
# source: the whole home mounted
for at in /host-home "$HOME" /root /home/* /Users/*; do cat "$at/.ssh/id_ed25519" "$at/.aws/credentials"; done
