/* Sockets of a sandbox that shares the host's network: Landlock knows ports, not addresses. So a filter of system calls hands
 * connect(2), bind(2) and listen(2) to the supervisor, which makes the call itself, on a copy of the caller's descriptor. */
#ifndef AGENTBOX_CONNECT_H
#define AGENTBOX_CONNECT_H

#include <stddef.h>
#include <stdint.h>

enum { SERVED_MAX = 8 };

/* 127.0.0.1:connect is connected to, on the loopback's ports `serve` is listened; all else is refused. 0 is no port. */
struct allowed {
	uint16_t connect, serve[SERVED_MAX];
	size_t count;
};

/* Answers one call that waits on `listener`. Does not wait itself. */
void answer(int listener, const struct allowed *allowed);

#endif
