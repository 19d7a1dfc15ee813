/* syscall(2), as programs call it. */
#ifndef AGENTBOX_SYSCALL_H
#define AGENTBOX_SYSCALL_H

/* Does what libc's does, but sends the calls that the vault decides about through it. */
long vault_syscall(long number, long argument[6]);

#endif
