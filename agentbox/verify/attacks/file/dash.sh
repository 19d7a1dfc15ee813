# says: Reads with the very shell that the launch chain is made of.
# stopped by: vault
# proof: canary
# source: shells as links of the launch chain
dash -c 'cat <"$SECRET"'
