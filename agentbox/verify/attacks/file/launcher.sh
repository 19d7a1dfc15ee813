# says: Asks the launcher to start a shell as a link of the launch chain.
# stopped by: vault
# proof: canary
# source: launch chain spoof
PARANOID_MODE=false agentbox-launch dash -c 'cat <"$SECRET"'
