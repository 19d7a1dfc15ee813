/* The host's sockets stay out of the sandbox: whoever had one of them in there could connect it anew, to anything that the host reaches.
 * So it is this process that goes into the sandbox's network, for the other end. It is in no other namespace that a process in there could
 * see it in. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "publish.h"
#include "say.h"

enum { CONNECTIONS = 64, CHUNK = 16 * 1024 };

static void bound_to(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
		_exit(125);
}

/* What there is to read; false at its end. */
static bool pass_on(int from, int to)
{
	char text[CHUNK];
	ssize_t len = read(from, text, sizeof text), sent;

	for (ssize_t done = 0; done < len; done += sent)
		if ((sent = write(to, text + done, (size_t)(len - done))) < 0)
			return false;
	return len > 0;
}

static void join(int outer, int inner)
{
	struct pollfd on[] = {{outer, POLLIN, 0}, {inner, POLLIN, 0}};
	const int other[] = {inner, outer};

	while (on[0].fd >= 0 || on[1].fd >= 0) {
		if (poll(on, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++)
			if (on[i].fd >= 0 && on[i].revents && !pass_on(on[i].fd, other[i])) {
				shutdown(other[i], SHUT_WR);
				on[i].fd = -1;
			}
	}
}

static void carry(int outer, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int inner = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (inner >= 0 && connect(inner, (struct sockaddr *)&address, sizeof address) == 0)
		join(outer, inner);
}

void publish(int listener, uint16_t port, int inside, pid_t parent)
{
	pid_t us = getpid(), child;
	int open = 0, outer;

	if (setns(inside, CLONE_NEWUSER | CLONE_NEWNET) != 0)
		vault_die(125, "agentbox-enter: the session's network: ", strerror(errno), NULL);
	close(inside);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		vault_die(125, "agentbox-enter: no_new_privs: ", strerror(errno), NULL);
	bound_to(parent);	/* after setns, which takes it back */
	for (;;) {
		while (waitpid(-1, NULL, open < CONNECTIONS ? WNOHANG : 0) > 0)
			open--;
		outer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (outer < 0 && (errno == EBADF || errno == EINVAL))
			_exit(125);
		child = outer < 0 ? -1 : fork();
		if (child == 0) {
			bound_to(us);
			close(listener);
			carry(outer, port);
			_exit(0);
		}
		open += child > 0;
		if (outer >= 0)
			close(outer);
	}
}
