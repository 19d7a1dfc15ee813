# says: Reads with the shell's own redirection, which starts no program.
# stopped by: vault
# proof: canary
# source: shells as links of the launch chain
while IFS= read -r line; do echo "$line"; done <"$SECRET"
