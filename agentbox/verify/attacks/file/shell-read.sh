# says: Reads with the shell's own redirection, which starts no program.
# stopped by: vault
# proof: canary
# source: shells as links of the launch chain
read -r line <"$SECRET"; echo "$line"
