/* The start of the vault in a process, and its only state. */
#include <sys/prctl.h>
#include <unistd.h>

#include "domain.h"
#include "load.h"
#include "process.h"
#include "real.h"
#include "say.h"
#include "sys.h"

struct vault_process vault_process;

enum { NEW, BUSY, READY };

static void confine_tool(struct vault_process *process)
{
	int result = process->abi ? vault_confine(&process->policy, process->abi) : 0;
	char number[24];

	if (result < 0)
		vault_die(125, "agentbox: cannot confine this process: Landlock: errno ", vault_decimal(-result, number), NULL);
}

static void start(struct vault_process *process)
{
	bool confined;

	vault_policy_load(&process->policy);
	process->pid = sys_getpid();
	process->role = vault_identify(&process->policy, environ);
	confined = vault_is_confined(&process->policy);
	if (confined)
		process->role = VAULT_TOOL;
	else
		process->abi = vault_landlock_abi();
	process->kernel = confined || process->abi > 0;
	if (process->role == VAULT_TOOL && !confined)
		confine_tool(process);
	if (process->role == VAULT_AGENT && !process->kernel)	/* else its environment and memory are open in /proc */
		sys_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
	if (process->role != VAULT_LINK)
		vault_forget(environ, VAULT_MARKER);
}

static void become_ready(void)
{
	int expected = NEW;

	if (__atomic_compare_exchange_n(&vault_process.ready, &expected, BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		start(&vault_process);
		__atomic_store_n(&vault_process.ready, READY, __ATOMIC_RELEASE);
		/* Only now: dlsym may call the program's own malloc, and that one a wrapper. */
		if (vault_process.role == VAULT_AGENT)
			vault_find_all();
	}
	while (__atomic_load_n(&vault_process.ready, __ATOMIC_ACQUIRE) != READY)
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void vault_ensure_ready(void)
{
	if (__builtin_expect(__atomic_load_n(&vault_process.ready, __ATOMIC_ACQUIRE) != READY, 0))
		become_ready();
}

__attribute__((constructor)) static void at_load(void)
{
	vault_ensure_ready();
}
