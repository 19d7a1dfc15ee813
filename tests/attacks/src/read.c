/* Reads the credential through libc. Exit 0 if it got it. */
#include <fcntl.h>
#include <unistd.h>

#ifndef AUTH
#define AUTH "/mnt/agent/auth.json"
#endif

int main(void)
{
	char buffer[256];
	int fd = open(AUTH, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);

	return got > 0 && write(1, buffer, got) == got ? 0 : 1;
}
