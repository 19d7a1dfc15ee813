/* The start of the vault in a process, and its only state. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "domain.h"
#include "keep.h"
#include "load.h"
#include "process.h"
#include "real.h"
#include "say.h"
#include "sys.h"

struct vault_process vault_process;

static void *fresh_memory(size_t size)
{
	long address = sys_call(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (address < 0 && address > -4096)
		vault_die(125, "agentbox: no memory for the vault", NULL);
	return (void *)address;
}

/* No lock, which a fork in another thread would leave locked in the child: who comes second gives its copy back. */
const struct vault_policy *vault_policy_at_first(void)
{
	const struct vault_policy *known = NULL;
	struct vault_policy *mine = fresh_memory(sizeof *mine);

	vault_policy_load(mine);
	if (__atomic_compare_exchange_n(&vault_process.policy, &known, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return mine;
	sys_call(SYS_munmap, (long)mine, sizeof *mine, 0, 0, 0, 0);
	return known;
}

static void confine_tool(struct vault_process *process)
{
	int result = process->abi ? vault_confine(vault_policy(), process->abi, NULL) : 0;
	char number[24];

	if (result < 0)
		vault_die(125, "agentbox: cannot confine this process: Landlock: errno ", vault_decimal(-result, number), NULL);
}

static const struct vault_listing *list_root(void)
{
	struct vault_listing *listing = fresh_memory(sizeof *listing);

	vault_list_root(listing);
	return listing;
}

/* Who stands in a domain is a tool, whatever else may be said of it. */
static void start_outside(struct vault_process *process)
{
	process->pid = sys_getpid();
	process->role = vault_identify(vault_policy(), environ);
	process->abi = vault_landlock_abi();
	process->kernel = process->abi > 0;
	if (process->role == VAULT_TOOL)
		confine_tool(process);
	else
		process->root = list_root();
	if (process->role == VAULT_AGENT && !process->kernel)	/* else its environment and memory are open in /proc */
		sys_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
}

static void start(struct vault_process *process)
{
	process->role = VAULT_TOOL;
	process->kernel = vault_is_confined();
	if (!process->kernel)
		start_outside(process);
	if (process->role != VAULT_LINK)
		vault_forget(environ, VAULT_MARKER);
}

void vault_become_ready(void)
{
	int expected = VAULT_NEW;

	if (__atomic_compare_exchange_n(&vault_process.ready, &expected, VAULT_BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		start(&vault_process);
		__atomic_store_n(&vault_process.ready, VAULT_READY, __ATOMIC_RELEASE);
		/* Only now: dlsym may call the program's own malloc, and that one a wrapper. */
		if (vault_process.role == VAULT_AGENT) {
			vault_find_all();
			vault_keep_begin();
		}
	}
	while (__atomic_load_n(&vault_process.ready, __ATOMIC_ACQUIRE) != VAULT_READY)
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

__attribute__((constructor)) static void at_load(void)
{
	vault_ensure_ready();
}
