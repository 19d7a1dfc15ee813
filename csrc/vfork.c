/* vfork for an agent that is about to start a process. The child runs on the parent's stack, so no C function may stand between
 * the caller and the original: the wrapper asks for it and jumps. (fork needs no wrapper, it runs what keep.c registered.) */
#include <unistd.h>

#include "keep.h"
#include "process.h"
#include "real.h"

void *vault_before_vfork(void);

__attribute__((used)) void *vault_before_vfork(void)
{
	vault_ensure_ready();
	NEED(vfork);
	if (vault_process.role == VAULT_AGENT)
		vault_keep_current();
	return (void *)real.vfork;
}

__asm__(".text\n"
	".globl vfork\n"
	".type vfork, %function\n"
	"vfork:\n"
#if defined(__x86_64__)
	"	endbr64\n"
	"	subq $8, %rsp\n"
	"	call vault_before_vfork\n"
	"	addq $8, %rsp\n"
	"	jmp *%rax\n"
#elif defined(__aarch64__)
	"	hint 34\n"	/* bti c */
	"	stp x29, x30, [sp, #-16]!\n"
	"	bl vault_before_vfork\n"
	"	ldp x29, x30, [sp], #16\n"
	"	mov x16, x0\n"
	"	br x16\n"
#endif
	".size vfork, . - vfork\n");
