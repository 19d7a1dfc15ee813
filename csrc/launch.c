/* agentbox-launch COMMAND [ARGUMENT...]: the first link of the chain that leads to the agent. Static, so that nothing is
 * preloaded into it. It binds the marker to its own pid, which exec keeps, and becomes COMMAND.
 * Exit status: 125 the vault refuses, 126 COMMAND cannot be executed, 127 it is not found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "identity.h"
#include "load.h"
#include "preflight.h"
#include "say.h"

static struct vault_policy policy;

static __attribute__((noreturn)) void cannot_execute(const char *command)
{
	vault_die(errno == ENOENT ? 127 : 126, "agentbox-launch: ", command, ": ", strerror(errno), NULL);
}

/* The default is to refuse what cannot be enforced. */
static bool is_paranoid(void)
{
	static const char *const no[] = {"false", "0", "no", "off"};
	const char *mode = getenv("PARANOID_MODE");

	for (size_t i = 0; mode && i < sizeof no / sizeof *no; i++)
		if (strcasecmp(mode, no[i]) == 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	bool paranoid = is_paranoid();
	char pid[24];

	if (argc < 2)
		vault_die(125, "usage: agentbox-launch COMMAND [ARGUMENT...]", NULL);
	vault_policy_load(&policy);
	vault_check_kernel(paranoid);
	vault_check_preload(paranoid);
	vault_check_links(&policy);
	vault_check_mounts(&policy);
	if (setenv(VAULT_MARKER, vault_decimal(getpid(), pid), 1) != 0)
		vault_die(125, "agentbox-launch: ", VAULT_MARKER, ": ", strerror(errno), NULL);
	execvp(argv[1], argv + 1);
	cannot_execute(argv[1]);
}
