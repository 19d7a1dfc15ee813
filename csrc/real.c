#include <dlfcn.h>
#include <errno.h>

#include "real.h"

struct vault_real real;

static int missing(void)
{
	return ENOSYS;
}

void vault_find(void *slot, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	__atomic_store_n((void **)slot, found ? found : (void *)missing, __ATOMIC_RELAXED);
}

void vault_find_all(void)
{
#define WRAPPER(name) NEED(name);
#define OPTIONAL(name)
#define TWIN(name, of)
#include "wrappers.h"
}
