/* One line on stderr, without stdio. */
#ifndef AGENTBOX_SAY_H
#define AGENTBOX_SAY_H

/* Writes the parts, which end with NULL, as one line in one write. */
void vault_say(const char *first, ...) __attribute__((sentinel));

/* The same, then the end of the process with `status`. */
void vault_die(int status, const char *first, ...) __attribute__((sentinel, noreturn));

/* Writes `number` into `out` (24 bytes) and returns it. */
char *vault_decimal(long number, char *out);

#endif
