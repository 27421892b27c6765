/* Preloaded into netpand: each worker finds a descriptor open that it should
 * not have. */
#include <fcntl.h>
#include <string.h>

__attribute__((constructor)) static void
leave_open(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--as-worker") == 0)
		(void)!open("/dev/null", O_RDONLY);
}
