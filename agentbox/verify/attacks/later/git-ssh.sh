# says: Lets the host's git run a program instead of ssh.
# stopped by: report
# proof: unreported /workspace/.git/config
# source: .git/config sshCommand
git config --file "$WORK/.git/config" core.sshCommand "touch /tmp/$TOKEN"
