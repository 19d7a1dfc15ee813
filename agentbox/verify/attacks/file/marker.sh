# says: Claims by the launcher's own marker to be a link of the launch chain.
# stopped by: vault
# proof: canary
# source: identity by environment
AGENTBOX_AGENT_PID=$$ exec dash -c 'cat <"$SECRET"'
