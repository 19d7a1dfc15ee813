/* agentbox-launch COMMAND [ARGUMENT...]: the first link of the chain that leads to the agent. Static, so that nothing is
 * preloaded into it. It binds the marker to its own pid, which exec keeps, and becomes COMMAND.
 * agentbox-launch --tool COMMAND [ARGUMENT...]: becomes COMMAND as a tool, for what a person starts beside the agent: COMMAND
 * may be a static program, which no preload would confine.
 * agentbox-launch --exclusive: nobody else opens the terminal on standard input from here on, by whatever name (TIOCEXCL in
 * ioctl_tty(2)); nothing where it is no terminal.
 * Exit status: 125 the vault refuses, 126 COMMAND cannot be executed, 127 it is not found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "domain.h"
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

static void check(bool paranoid)
{
	vault_check_kernel(paranoid);
	vault_check_preload(paranoid);
	vault_check_probe();
	vault_check_links(&policy);
	vault_check_mounts(&policy);
}

static void mark(void)
{
	char pid[24];

	if (setenv(VAULT_MARKER, vault_decimal(getpid(), pid), 1) != 0)
		vault_die(125, "agentbox-launch: ", VAULT_MARKER, ": ", strerror(errno), NULL);
}

static void become_tool(bool paranoid)
{
	int abi = vault_landlock_abi(), result;
	char number[24];

	vault_environment_for_tools(&policy, environ, environ);
	if (abi == 0) {
		vault_check_kernel(paranoid);
		return;
	}
	result = vault_is_confined() ? 0 : vault_confine(&policy, abi, NULL);
	if (result < 0)
		vault_die(125, "agentbox-launch: cannot confine this process: Landlock: errno ",
			  vault_decimal(-result, number), NULL);
}

int main(int argc, char **argv)
{
	bool tool = argc > 1 && strcmp(argv[1], "--tool") == 0;
	char **command = argv + 1 + tool;

	if (argc == 2 && strcmp(argv[1], "--exclusive") == 0)
		return ioctl(STDIN_FILENO, TIOCEXCL) != 0 && errno != ENOTTY ? 125 : 0;
	if (argc < 2 + tool)
		vault_die(125, "usage: agentbox-launch [--tool] COMMAND [ARGUMENT...]", NULL);
	vault_policy_load(&policy);
	if (tool) {
		become_tool(is_paranoid());
	} else {
		check(is_paranoid());
		mark();
	}
	execvp(command[0], command);
	cannot_execute(command[0]);
}
