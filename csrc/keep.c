/* Made in the agent itself, since what a (v)forked child opens is gone with it, and used in those children and in the threads
 * of spawn.c. Whoever finds it out of date makes a ruleset of its own. */
#include <string.h>
#include <sys/mman.h>

#include "domain.h"
#include "keep.h"
#include "process.h"
#include "say.h"
#include "sight.h"
#include "sys.h"

/* Out of the way of programs that count on the lowest descriptors. */
enum { LOWEST_FD = 100 };

static const char KIND[] = "anon_inode:[landlock-ruleset]";

struct kept {
	int busy;		/* atomic; somebody brings it up to date */
	unsigned turn;		/* atomic; odd meanwhile. A vforked child reads in the memory of an agent that goes on */
	int fd;			/* -1: none */
	struct vault_sight sight;
};

static struct kept *kept;

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);

void vault_keep_begin(void)
{
	long memory = sys_call(SYS_mmap, 0, sizeof *kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!vault_process.kernel || (memory < 0 && memory > -4096))
		return;
	kept = (struct kept *)memory;
	kept->fd = -1;
	__register_atfork(vault_keep_current, NULL, NULL, NULL);
}

/* The program may have closed our descriptor and opened something else under its number. */
static bool is_ruleset(int fd)
{
	char link[48] = "/proc/self/fd/", target[sizeof KIND];
	char number[24];

	strcat(link, vault_decimal(fd, number));
	return sys_readlinkat(AT_FDCWD, link, target, sizeof target) == sizeof KIND - 1 &&
	       memcmp(target, KIND, sizeof KIND - 1) == 0;
}

static void make(void)
{
	int made, moved = -1;

	if (kept->fd >= 0 && is_ruleset(kept->fd))
		sys_close(kept->fd);
	vault_sight_begin(&kept->sight);
	made = vault_make_ruleset(vault_policy(), vault_process.abi, vault_process.root, &kept->sight);
	if (made >= 0) {
		moved = (int)sys_call(SYS_fcntl, made, F_DUPFD_CLOEXEC, LOWEST_FD, 0, 0, 0);
		sys_close(made);
	}
	kept->fd = moved < 0 ? -1 : moved;
}

void vault_keep_current(void)
{
	enum vault_view view;

	/* A forked child that has not executed anything yet is the agent's code, but keeps nothing for it. */
	if (!kept || sys_getpid() != vault_process.pid || __atomic_exchange_n(&kept->busy, 1, __ATOMIC_ACQUIRE))
		return;
	view = vault_sight_compare(&kept->sight);
	if (view == VAULT_CHANGED || (view == VAULT_SAME && (kept->fd < 0 || !is_ruleset(kept->fd)))) {
		__atomic_add_fetch(&kept->turn, 1, __ATOMIC_ACQ_REL);
		make();
		__atomic_add_fetch(&kept->turn, 1, __ATOMIC_ACQ_REL);
	}
	__atomic_store_n(&kept->busy, 0, __ATOMIC_RELEASE);
}

bool vault_enter_kept(void)
{
	unsigned turn;
	int fd;

	if (!kept)
		return false;
	turn = __atomic_load_n(&kept->turn, __ATOMIC_ACQUIRE);
	fd = kept->fd;
	if (turn % 2 || fd < 0 || vault_sight_compare(&kept->sight) != VAULT_SAME)
		return false;
	if (__atomic_load_n(&kept->turn, __ATOMIC_ACQUIRE) != turn)
		return false;
	/* Asked of the kernel, should the descriptor be a ruleset but not ours. */
	return vault_enter(fd) == 0 && vault_is_confined();
}
