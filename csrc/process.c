/* The start of the vault in a process, and its only state. */
#include <unistd.h>

#include "load.h"
#include "process.h"
#include "sys.h"

struct vault_process vault_process;

enum { NEW, BUSY, READY };

static void start(struct vault_process *process)
{
	vault_policy_load(&process->policy);
	process->role = vault_identify(&process->policy, environ);
	if (process->role != VAULT_LINK)
		vault_forget(environ, VAULT_MARKER);
}

static void become_ready(void)
{
	int expected = NEW;

	if (__atomic_compare_exchange_n(&vault_process.ready, &expected, BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		start(&vault_process);
		__atomic_store_n(&vault_process.ready, READY, __ATOMIC_RELEASE);
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
