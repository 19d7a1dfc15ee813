/* What agentbox-launch looks at before it lets anything start. Each either returns or ends the process with 125. */
#ifndef AGENTBOX_PREFLIGHT_H
#define AGENTBOX_PREFLIGHT_H

#include "vault.h"

/* The kernel can enforce the vault, or the user said to go on without; what is missing is said in one line. */
void vault_check_kernel(bool paranoid);

/* The preload is named in /etc/ld.so.preload and is an object for this CPU: glibc passes over others without a failure. */
void vault_check_preload(bool paranoid);

/* No protected file has a second name: neither a hard link nor a symbolic link nor a second mount of the vault. */
/* Permissions that keep everybody from the probe would let a tool be taken for a confined one. */
void vault_check_probe(void);

void vault_check_links(const struct vault_policy *policy);
void vault_check_mounts(const struct vault_policy *policy);

#endif
