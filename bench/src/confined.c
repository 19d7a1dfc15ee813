/* confined PROGRAM [ARGUMENT...]: a bare Landlock domain with the vault's own rules, no preload. Compiled with csrc/. */
#include <unistd.h>

#include "domain.h"
#include "load.h"

static struct vault_policy policy;

int main(int argc, char **argv)
{
	vault_policy_load(&policy);
	if (argc < 2 || vault_confine(&policy, vault_landlock_abi(), NULL) != 0)
		return 125;
	execv(argv[1], argv + 1);
	return 127;
}
