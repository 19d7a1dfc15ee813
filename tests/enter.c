/* enter NAMESPACE FOLDER UID LANDLOCK PROGRAM [ARGUMENT...]: the last steps of World.run (vault_world.py), for the price of one exec.
 * Python would fork all of pytest for them. NAMESPACE is an open descriptor; LANDLOCK is 0 for a kernel that has none. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check(int result, const char *what)
{
	if (result == 0)
		return;
	perror(what);
	_exit(124);
}

/* The three calls of Landlock fail as on a kernel that does not know them. */
static void block_landlock(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_landlock_create_ruleset, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_landlock_restrict_self, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 124;
	int namespace = atoi(argv[1]);
	uid_t uid = (uid_t)atoi(argv[3]);
	check(setns(namespace, CLONE_NEWNS), "setns");
	close(namespace);
	check(chdir(argv[2]), argv[2]);
	if (uid) {
		check(setgroups(0, NULL), "setgroups");
		check(setgid(uid), "setgid");
		check(setuid(uid), "setuid");
	}
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	if (!atoi(argv[4]))
		block_landlock();
	execvp(argv[5], argv + 5);
	perror(argv[5]);
	return 124;
}
