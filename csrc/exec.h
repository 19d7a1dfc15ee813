/* What happens before an exec. A program that the agent starts is confined first, in the (v)forked child or in place, and gets
 * an environment without what the policy hides. */
#ifndef AGENTBOX_EXEC_H
#define AGENTBOX_EXEC_H

#include <stdbool.h>

/* Whether a program started from this process has to be confined here, because it would not be by inheritance. */
bool vault_starts_tools(void);

/* Confines the calling thread. False, with errno, if the kernel refuses: then nothing may be started. */
bool vault_confine_here(void);

/* The number of variables in an environment, its terminating NULL not counted. */
int vault_environment_size(char *const *environment);

/* The exec family, as the wrappers export it. */
int vault_execve(const char *path, char *const *argv, char *const *environment);
int vault_execveat(int dir, const char *path, char *const *argv, char *const *environment, int flags);
int vault_execvpe(const char *file, char *const *argv, char *const *environment);

#endif
