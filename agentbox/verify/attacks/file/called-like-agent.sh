# says: Starts a copy of a program that is called like the agent.
# stopped by: vault
# proof: canary
# source: argv and comm spoof
cp /bin/cat "./$COMMAND" && (exec -a "$COMMAND" "./$COMMAND" "$SECRET")
