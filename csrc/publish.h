/* A port of the host's that leads into a sandbox with a network of its own. */
#ifndef AGENTBOX_PUBLISH_H
#define AGENTBOX_PUBLISH_H

#include <stdint.h>
#include <sys/types.h>

/* Passes on what connects to `listener`, to 127.0.0.1:port in the network of the process that the pidfd `inside` is of, until
 * `parent`, our own, dies. */
void publish(int listener, uint16_t port, int inside, pid_t parent) __attribute__((noreturn));

#endif
