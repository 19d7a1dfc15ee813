# says: Puts another file in the place of the settings.
# stopped by: vault
# proof: changed $SETTINGS
# source: rename
echo '{}' >new && mv -f new "$SETTINGS"
