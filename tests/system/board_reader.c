/* Shows the board of the netpand whose master is PID, as its workers can:
 *
 *	board_reader PID status | metrics | health
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/metrics.h"

static int
find_board(const char *pid)
{
	char folder[64], path[512], target[256];
	struct dirent *entry;
	DIR *dir;
	ssize_t n;
	int fd = -1;

	snprintf(folder, sizeof(folder), "/proc/%s/fd", pid);
	dir = opendir(folder);
	if (dir == NULL)
		err(1, "%s", folder);
	while (fd == -1 && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strstr(target, "memfd:netpand-board") != NULL)
			fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	closedir(dir);
	if (fd == -1)
		errx(1, "%s has no board", pid);
	return fd;
}

int
main(int argc, char **argv)
{
	static unsigned char mem[METRICS_ROOM];
	static struct board b;
	struct buf out;
	bool is_well = true;
	int r;

	if (argc != 3)
		errx(2, "usage: board_reader PID status | metrics | health");
	r = board_open(&b, -1, find_board(argv[1]), 0);
	if (r != 0)
		errx(1, "board_open: %s", strerror(-r));
	buf_init(&out, mem, sizeof(mem));
	if (strcmp(argv[2], "status") == 0)
		r = metrics_status(&out, &b, clock_ms());
	else if (strcmp(argv[2], "metrics") == 0)
		r = metrics_prometheus(&out, &b, clock_ms());
	else
		is_well = metrics_health(&out, &b, clock_ms());
	if (r != 0)
		errx(1, "%s: %s", argv[2], strerror(-r));
	fwrite(buf_head(&out), 1, buf_len(&out), stdout);
	board_close(&b);
	return is_well ? 0 : 3;
}
