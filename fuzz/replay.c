/*
 * A main in libFuzzer's place: runs a fuzz target over the files and folders
 * it is given, so that a corpus is an ordinary test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* In memory of just its size, so that ASan sees a step past the end. */
static unsigned
run_file(const char *path, size_t size)
{
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	FILE *f = fopen(path, "rb");

	if (bytes == NULL || f == NULL || fread(bytes, 1, size, f) != size)
		give_up(path);
	fclose(f);
	/* Known before it crashes, and only looked at then. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	return 1;
}

static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static unsigned
run(const char *path)
{
	struct dirent **entries;
	struct stat st;
	char inner[4096];
	unsigned done = 0;
	int n;

	if (stat(path, &st) == -1)
		give_up(path);
	if (!S_ISDIR(st.st_mode))
		return run_file(path, (size_t)st.st_size);
	n = scandir(path, &entries, is_input, alphasort);
	if (n == -1)
		give_up(path);
	for (int i = 0; i < n; i++) {
		snprintf(
		    inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		done += run(inner);
		free(entries[i]);
	}
	free(entries);
	return done;
}

int
main(int argc, char **argv)
{
	unsigned done = 0;

	for (int i = 1; i < argc; i++)
		done += run(argv[i]);
	if (done == 0) {
		fprintf(stderr, "replay: no input\n");
		return 1;
	}
	printf("%u inputs\n", done);
	return 0;
}
