/* One short-lived thread per call, not one for good: each domain then grants what stands in the vault now, and a thread costs a
 * few percent of a spawn. Only the agent comes here; tools call the originals. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"
#include "keep.h"
#include "process.h"
#include "real.h"
#include "spawn.h"
#include "sys.h"

struct call {
	void (*run)(struct call *call);
	int error;	/* of confining the thread, or what `run` puts there */
	vault_spawn_fn *spawn;
	pid_t *pid;
	const char *text, *type;
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attributes;
	char *const *argv, *const *environment;
	FILE *stream;
	wordexp_t *words;
	int flags, result;
};

static void *confined(void *argument)
{
	struct call *call = argument;

	if (vault_confine_here())
		call->run(call);
	else
		call->error = errno;
	return NULL;
}

/* The call's error, 0 if it was made. */
static int make(struct call *call)
{
	pthread_t thread;
	int error;

	vault_keep_current();
	error = pthread_create(&thread, NULL, confined, call);
	if (error)
		return error;
	pthread_join(thread, NULL);
	return call->error;
}

static void run_spawn(struct call *call)
{
	call->error = call->spawn(call->pid, call->text, call->actions, call->attributes, call->argv, call->environment);
}

int vault_spawn(vault_spawn_fn *spawn, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const *argv, char *const *environment)
{
	char *kept[vault_environment_size(environment) + 1];
	struct call call = {.run = run_spawn, .spawn = spawn, .pid = pid, .text = path, .actions = actions,
			    .attributes = attributes, .argv = argv};

	call.environment = vault_environment_for_tools(vault_policy(), environment, kept);
	return make(&call);
}

/* popen and wordexp take the environment from `environ`. They see a shorter one for as long as they fork; one at a time. */
static void run_with_short_environment(struct call *call, void (*run)(struct call *call))
{
	static int busy;
	char **whole, *kept[vault_environment_size(environ) + 1];

	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	whole = environ;
	environ = vault_environment_for_tools(vault_policy(), whole, kept);
	run(call);
	environ = whole;
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static void call_popen(struct call *call)
{
	call->stream = real.popen(call->text, call->type);
	call->error = call->stream ? 0 : errno;
}

static void run_popen(struct call *call)
{
	run_with_short_environment(call, call_popen);
}

FILE *vault_popen(const char *command, const char *type)
{
	struct call call = {.run = run_popen, .text = command, .type = type};

	errno = make(&call) ?: errno;
	return call.stream;
}

static void call_wordexp(struct call *call)
{
	call->result = real.wordexp(call->text, call->words, call->flags);
}

static void run_wordexp(struct call *call)
{
	run_with_short_environment(call, call_wordexp);
}

int vault_wordexp(const char *words, wordexp_t *result, int flags)
{
	struct call call = {.run = run_wordexp, .text = words, .words = result, .flags = flags};

	return make(&call) ? WRDE_NOSPACE : call.result;
}

/* What system() promises: SIGCHLD blocked, SIGINT and SIGQUIT ignored until the shell ends, and the shell with the caller's own
 * mask and defaults. Written out here, since libc's would keep the short environment in place for all that time. */
static int spawn_shell(const char *command, pid_t *pid, const sigset_t *mask, const sigset_t *defaults)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	posix_spawnattr_t attributes;
	int error;

	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, mask);
	posix_spawnattr_setsigdefault(&attributes, defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = vault_spawn(real.posix_spawn, pid, "/bin/sh", NULL, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	return error;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

int vault_system(const char *command)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
	sigset_t child, mask, defaults;
	int status = 127 << 8;
	pid_t pid;

	if (!command)
		return 1;
	sigemptyset(&defaults);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	pthread_sigmask(SIG_BLOCK, &child, &mask);
	if (interrupt.sa_handler != SIG_IGN)
		sigaddset(&defaults, SIGINT);
	if (quit.sa_handler != SIG_IGN)
		sigaddset(&defaults, SIGQUIT);
	if (spawn_shell(command, &pid, &mask, &defaults) == 0)
		status = wait_for(pid);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return status;
}
