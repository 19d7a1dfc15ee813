/* Connections of a sandbox that shares the host's network: Landlock knows ports, not addresses. So a filter of system calls hands
 * connect(2) to the supervisor, which makes the connection itself, to the broker and nowhere else. */
#ifndef AGENTBOX_CONNECT_H
#define AGENTBOX_CONNECT_H

#include <stdint.h>

/* Answers one call that waits on `listener`. 127.0.0.1:port is connected to, all else refused; 0 is no port. Does not wait itself. */
void connect_for(int listener, uint16_t port);

#endif
