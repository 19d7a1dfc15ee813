/* agentbox-enter [OPTION...] -- COMMAND [ARGUMENT...]: the last step into a sandbox that no container engine makes. Static, like
 * agentbox-launch, which usually is COMMAND. It gives up what it is told to give up and becomes COMMAND.
 *
 *   --enter FD        first join the namespaces of the process that this pidfd is of, in /workspace; needs --supervise
 *   --supervise PID   stay behind as the parent, and end every process below when COMMAND ends or PID, our own parent, dies
 *   --limit WHAT=N    nproc, nofile or core
 *   --listen PORT     listen on 127.0.0.1:PORT, for somebody outside of this network namespace; needs --control
 *   --control FD      send a byte on this Unix socket, and with it the listening socket: its receiver learns this process's pid
 *   --landlock FD     enter the domain of this ruleset
 *   --seccomp FD      load the filter in this file
 *   --connect PORT    the filter asks the supervisor about connect(2), which allows 127.0.0.1:PORT (0: nothing)
 *   --serve PORT      ... and about listen(2), which it allows on the loopback's PORT; may be given several times
 *
 * agentbox-enter --publish LISTENER PORT PIDFD PID: see publish.h.
 *
 * Exit status: 125 something of this fails, 126 COMMAND cannot be executed, 127 it is not found; else COMMAND's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi.h"
#include "connect.h"
#include "publish.h"
#include "say.h"

enum { NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP };
enum { RESTRICT_SELF = 446, FILTER_MAX = 32 * 1024, BACKLOG = 128 };

struct options {
	long enter, supervise, listen, control, landlock, seccomp, connect;
	int asked;	/* a socket to the supervisor, which takes the filter's listener */
	struct allowed allowed;
};

static __attribute__((noreturn)) void fail(const char *what)
{
	vault_die(125, "agentbox-enter: ", what, ": ", strerror(errno), NULL);
}

static long number(const char *name, const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (!*text || *end || value < 0)
		vault_die(125, "agentbox-enter: ", name, " ", text, ": not a number", NULL);
	return value;
}

static void limit(const char *text)
{
	static const struct { const char *name; int resource; } known[] = {
		{"nproc=", RLIMIT_NPROC}, {"nofile=", RLIMIT_NOFILE}, {"core=", RLIMIT_CORE},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t len = strlen(known[i].name);
		struct rlimit now, wanted;

		if (strncmp(text, known[i].name, len) != 0)
			continue;
		if (getrlimit(known[i].resource, &now) != 0)
			fail(text);
		wanted.rlim_cur = wanted.rlim_max = (rlim_t)number("--limit", text + len);
		if (wanted.rlim_max > now.rlim_max)
			wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
		if (setrlimit(known[i].resource, &wanted) != 0)
			fail(text);
		return;
	}
	vault_die(125, "agentbox-enter: --limit ", text, ": unknown", NULL);
}

/* ---- the supervisor ---- */

static int end_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Our children, of whom this file tells. It is opened first: /proc is another one in the namespaces that we may join. */
static FILE *children_of_us(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	return fopen(path, "re");
}

/* What loses its parent becomes our child, so that nothing gets away: until there are no children, kill all that there are.
 * In a pid namespace that we joined its first process gets them, and they end with that. */
static void end_all(FILE *children)
{
	int child;

	for (;;) {
		if (children)
			rewind(children);
		while (children && fscanf(children, "%d", &child) == 1)
			kill(child, SIGKILL);
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

union with_descriptor {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

/* A byte, and with it a descriptor where there is one. */
static bool hand_over(int to, int fd)
{
	union with_descriptor extra;
	struct iovec byte = {"+", 1};
	struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};

	memset(&extra, 0, sizeof extra);
	if (fd >= 0) {
		message.msg_control = &extra;
		message.msg_controllen = sizeof extra;
		extra.header.cmsg_level = SOL_SOCKET;
		extra.header.cmsg_type = SCM_RIGHTS;
		extra.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&extra.header), &fd, sizeof fd);
	}
	return sendmsg(to, &message, 0) == 1;
}

/* The agent hands us the filter's listener, and waits until we have it. */
static int take_listener(int asked)
{
	union with_descriptor extra;
	char byte;
	struct iovec into = {&byte, 1};
	struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
	int listener = -1;

	if (recvmsg(asked, &message, MSG_CMSG_CLOEXEC) == 1 && message.msg_controllen >= CMSG_LEN(sizeof listener))
		memcpy(&listener, CMSG_DATA(&extra.header), sizeof listener);
	if (listener >= 0 && write(asked, "+", 1) != 1)
		listener = -1;
	close(asked);
	return listener;
}

/* The agent's status once it has ended; -1 before. */
static int reap(pid_t agent)
{
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
		if (ended == agent)
			return end_of(status);
	return -1;
}

static __attribute__((noreturn)) void watch(pid_t agent, const sigset_t *signals, int asked, const struct allowed *allowed, FILE *children)
{
	struct signalfd_siginfo signal = {.ssi_signo = SIGCHLD};
	struct pollfd on[] = {{signalfd(-1, signals, SFD_CLOEXEC), POLLIN, 0}, {asked, POLLIN, 0}};
	bool taken = false;
	int code = -1;

	while (code < 0) {
		if (poll(on, 2, -1) < 0)
			continue;
		if (on[0].revents && read(on[0].fd, &signal, sizeof signal) == sizeof signal)
			code = signal.ssi_signo == SIGCHLD ? reap(agent) : 128 + SIGTERM;
		if (!on[1].revents || code >= 0)
			continue;
		if (taken && on[1].revents & POLLIN)
			answer(on[1].fd, allowed);
		else
			on[1].fd = taken ? -1 : take_listener(asked);
		taken = true;
	}
	end_all(children);
	_exit(code);
}

/* Whoever made these namespaces as this user may join them. The next child is in the pid namespace, not we. */
static void join(int process)
{
	if (setns(process, NAMESPACES) != 0)
		fail("the session's namespaces");
	close(process);
	if (chdir("/workspace") != 0)
		fail("/workspace");
}

/* Returns in the child. */
static void supervise(struct options *options)
{
	pid_t parent = (pid_t)options->supervise, agent;
	sigset_t signals, before;
	int asked[2] = {-1, -1};
	FILE *children = children_of_us();

	if (options->enter >= 0)
		join((int)options->enter);
	if (options->connect >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, asked) != 0)
		fail("socketpair");
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
		fail("prctl");
	if (getppid() != parent)
		_exit(125);
	agent = fork();
	if (agent < 0)
		fail("fork");
	if (agent > 0) {
		close(asked[1]);
		options->allowed.connect = options->connect > 0 ? (uint16_t)options->connect : 0;
		watch(agent, &signals, asked[0], &options->allowed, children);
	}
	options->asked = asked[1];
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- what is handed over, what is given up ---- */

static int listen_on(long port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0)
		fail("the broker's port");
	return fd;
}

static void report(int control, int listener)
{
	if (!hand_over(control, listener))
		fail("the control socket");
	close(control);
	if (listener >= 0)
		close(listener);
}

static void load_filter(int fd, int asked)
{
	static char text[FILTER_MAX];
	ssize_t len = pread(fd, text, sizeof text, 0);
	struct sock_fprog program;

	if (len <= 0 || len == sizeof text || len % (ssize_t)sizeof(struct sock_filter) != 0)
		vault_die(125, "agentbox-enter: the seccomp filter is empty, cut short or too long", NULL);
	close(fd);
	program.len = (unsigned short)((size_t)len / sizeof(struct sock_filter));
	program.filter = (struct sock_filter *)(void *)text;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, asked < 0 ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd < 0)
		fail("seccomp");
	if (asked < 0)
		return;
	if (!hand_over(asked, fd) || read(asked, text, 1) != 1)
		fail("the supervisor");
	close(asked);
	close(fd);
}

static void enter_domain(int ruleset)
{
	if (syscall(RESTRICT_SELF, ruleset, 0) != 0)
		fail("Landlock");
	close(ruleset);
	errno = -(vault_cover_truncation() ?: vault_cover_debuggers());
	if (errno)
		fail("seccomp, for what an older Landlock does not know");
}

static void give_up(const struct options *options)
{
	/* Whoever started us ignores these, so that a ^C ends the agent alone. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	if (options->control >= 0)
		report((int)options->control, options->listen >= 0 ? listen_on(options->listen) : -1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail("no_new_privs");
	if (options->landlock >= 0)
		enter_domain((int)options->landlock);
	if (options->seccomp >= 0)
		load_filter((int)options->seccomp, options->asked);
}

static void serve(struct allowed *allowed, long port)
{
	if (allowed->count == SERVED_MAX || port > UINT16_MAX)
		vault_die(125, "agentbox-enter: --serve: too many ports, or too high a one", NULL);
	allowed->serve[allowed->count++] = (uint16_t)port;
}

static char **parse(int argc, char **argv, struct options *options)
{
	const struct { const char *name; long *value; } known[] = {
		{"--enter", &options->enter}, {"--supervise", &options->supervise}, {"--listen", &options->listen}, {"--control", &options->control},
		{"--landlock", &options->landlock}, {"--seccomp", &options->seccomp},
		{"--connect", &options->connect},
	};

	for (int at = 1; at + 1 < argc; at += 2) {
		bool limits = strcmp(argv[at], "--limit") == 0, serves = strcmp(argv[at], "--serve") == 0, found = limits || serves;

		if (strcmp(argv[at], "--") == 0)
			return argv + at + 1;
		if (limits)
			limit(argv[at + 1]);
		if (serves)
			serve(&options->allowed, number(argv[at], argv[at + 1]));
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (strcmp(argv[at], known[i].name) == 0) {
				*known[i].value = number(argv[at], argv[at + 1]);
				found = true;
			}
		if (!found)
			break;
	}
	vault_die(125, "usage: agentbox-enter [OPTION VALUE]... -- COMMAND [ARGUMENT...]", NULL);
}

int main(int argc, char **argv)
{
	struct options options = {-1, -1, -1, -1, -1, -1, -1, -1, {0}};
	char **command;

	if (argc == 6 && strcmp(argv[1], "--publish") == 0)
		publish((int)number(argv[1], argv[2]), (uint16_t)number(argv[1], argv[3]), (int)number(argv[1], argv[4]),
			(pid_t)number(argv[1], argv[5]));
	command = parse(argc, argv, &options);
	if (options.supervise >= 0)
		supervise(&options);
	else if (options.enter >= 0)
		vault_die(125, "agentbox-enter: --enter needs --supervise", NULL);
	give_up(&options);
	execvp(command[0], command);
	vault_die(errno == ENOENT ? 127 : 126, "agentbox-enter: ", command[0], ": ", strerror(errno), NULL);
}
