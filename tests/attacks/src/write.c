/* Static: creates the file that it is given. Exit 0 if it did. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	return argc == 2 && open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) >= 0 ? 0 : 1;
}
