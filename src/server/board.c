#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "server/board.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define WORD sizeof(uint64_t)
#define POOL_WORDS (sizeof(struct board_pool) / WORD)
#define HEAD_WORDS (offsetof(struct board_pool, row) / WORD)
#define ROW_WORDS (sizeof(struct board_row) / WORD)

/*
 * Two copies in turn: the one that was published last is not touched while
 * the next is written, so that nobody ever waits for a master that was
 * interrupted.  Copy n % 2 is whole until n + 1 has been published.
 */
struct board_latch {
	_Atomic uint64_t n; /* how many have been published */
	struct board_counter copy[2][POOL_WORDS];
};

static_assert(sizeof(struct board_pool) ==
		  (HEAD_WORDS + FDPOOL_WORKERS_MAX * ROW_WORDS) * WORD,
    "what the master publishes is words without padding");

const uint32_t board_bounds_us[BOARD_N_BOUNDS] = {
	50, 100, 200, 500, /* us */
	1000, 2000, 5000, 10000, 20000, 50000, /* 1 ms and up */
	100000, 200000, 500000, /* 0.1 s */
	1000000, 2000000, 5000000, 10000000, 20000000, 60000000, /* 1 s */
};

/* ---- where things are ---- */
static size_t place_of(unsigned index);
static size_t whole_size(void);
/* ---- making it ---- */
static int memfd_sealed(size_t size);
static int map(void *out, int fd, size_t off, size_t size, int prot);
static int map_all(struct board *);
static void board_begin(struct board_worker *);
/* ---- the master's place ---- */
static void
take_counts(struct board_pool *, const struct fdpool *, bool draining);
static void words_get(void *to, const struct board_counter *from, size_t n);
static void words_set(struct board_counter *to, const void *from, size_t n);

/* ---- counting ---- */

const char *
board_method_name(unsigned m)
{
	static const char *const names[BOARD_N_METHODS] = {
#define NAME(constant, name) [BOARD_##constant] = name,
		BOARD_METHODS(NAME)
#undef NAME
	};

	return names[m];
}

const char *
board_train_name(unsigned t)
{
	static const char *const names[BOARD_N_TRAINS] = {
#define NAME(constant, name) [BOARD_TRAIN_##constant] = name,
		BOARD_TRAINS(NAME)
#undef NAME
	};

	return names[t];
}

const char *
board_status_name(unsigned s)
{
	static const char *const names[BOARD_N_STATUSES] = {
#define NAME(status) [BOARD_STATUS_##status] = #status,
		BOARD_STATUSES(NAME)
#undef NAME
		    [BOARD_STATUS_2XX] = "2xx",
		[BOARD_STATUS_3XX] = "3xx",
		[BOARD_STATUS_4XX] = "4xx",
		[BOARD_STATUS_5XX] = "5xx",
		[BOARD_STATUS_OTHER] = "other",
	};

	return names[s];
}

static enum board_status
status_of(unsigned status)
{
	switch (status) {
#define CASE(status)   \
	case (status): \
		return BOARD_STATUS_##status;
		BOARD_STATUSES(CASE)
#undef CASE
	}
	switch (status / 100) {
	case 2:
		return BOARD_STATUS_2XX;
	case 3:
		return BOARD_STATUS_3XX;
	case 4:
		return BOARD_STATUS_4XX;
	case 5:
		return BOARD_STATUS_5XX;
	}
	return BOARD_STATUS_OTHER;
}

void
board_count_request(struct board_worker *w, enum board_method method,
    unsigned status, uint64_t us)
{
	unsigned i = 0;

	while (i < BOARD_N_BOUNDS && us > board_bounds_us[i])
		i++;
	board_add(&w->requests[method], 1);
	board_add(&w->statuses[status_of(status)], 1);
	board_add(&w->durations[i], 1);
	board_add(&w->duration_us, us);
}

bool
board_served(const struct board_served *s, struct addr *addr)
{
	uint64_t half[2] = { board_get(&s->half[0]), board_get(&s->half[1]) };
	uint64_t family = board_get(&s->family);

	*addr = (struct addr){ .family = (uint8_t)family };
	memcpy(addr->bytes, half, sizeof(half));
	return family == 4 || family == 6;
}

/* ---- where things are ---- */

static size_t
in_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static size_t
place_of(unsigned index)
{
	return in_pages(sizeof(struct board_latch)) +
	       index * in_pages(sizeof(struct board_worker));
}

static size_t
whole_size(void)
{
	return place_of(FDPOOL_WORKERS_MAX);
}

/* ---- making it ---- */

/*
 * The workers map all of it through a descriptor of its own that cannot
 * write: a mapping for reading of one that can could be made writable later.
 */
int
board_new(struct board *b)
{
	char path[32];
	int r;

	memset(b, 0, sizeof(*b));
	b->read_fd = -1;
	b->write_fd = memfd_sealed(whole_size());
	if (b->write_fd < 0) {
		r = b->write_fd;
		b->write_fd = -1;
		return r;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", b->write_fd);
	b->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	r = b->read_fd == -1 ? -errno : map_all(b);
	if (r == 0)
		r = map(&b->latch, b->write_fd, 0, sizeof(*b->latch),
		    PROT_READ | PROT_WRITE);
	if (r != 0) {
		board_close(b);
		return r;
	}
	b->now.started_ms = clock_ms();
	b->now.started_s = clock_wall_s();
	b->now.pid = getpid();
	return 0;
}

static int
memfd_sealed(size_t size)
{
	int fd, r;

	fd = memfd_create(
	    "netpand-board", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(
		    "netpand-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -errno;
	if (ftruncate(fd, (off_t)size) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		-1) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	return fd;
}

static int
map(void *out, int fd, size_t off, size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(out, &p, sizeof(p));
	return 0;
}

static int
map_all(struct board *b)
{
	return map(&b->all, b->read_fd, 0, whole_size(), PROT_READ);
}

int
board_open(struct board *b, int write_fd, int read_fd, unsigned index)
{
	int r;

	memset(b, 0, sizeof(*b));
	b->write_fd = write_fd;
	b->read_fd = read_fd;
	r = index < FDPOOL_WORKERS_MAX ? map_all(b) : -EINVAL;
	if (r == 0 && write_fd != -1)
		r = map(&b->mine, write_fd, place_of(index), sizeof(*b->mine),
		    PROT_READ | PROT_WRITE);
	fd_close(&b->write_fd);
	fd_close(&b->read_fd);
	if (r != 0)
		board_close(b);
	else if (b->mine != NULL)
		board_begin(b->mine);
	return r;
}

/* What the one before has left of the moment it died in. */
static void
board_begin(struct board_worker *mine)
{
	board_set(&mine->open, 0);
	for (size_t i = 0; i < BOARD_SERVED; i++)
		board_rests(&mine->served[i]);
}

void
board_close(struct board *b)
{
	if (b->all != NULL)
		munmap((void *)(uintptr_t)b->all, whole_size());
	if (b->mine != NULL)
		munmap(b->mine, sizeof(*b->mine));
	if (b->latch != NULL)
		munmap(b->latch, sizeof(*b->latch));
	b->all = NULL;
	b->mine = NULL;
	b->latch = NULL;
	fd_close(&b->write_fd);
	fd_close(&b->read_fd);
}

const struct board_worker *
board_worker(const struct board *b, unsigned index)
{
	assert(index < FDPOOL_WORKERS_MAX);
	return (const void *)(b->all + place_of(index));
}

/* ---- the master's place ---- */

void
board_refresh(struct board *b, const struct fdpool *pool, bool draining,
    bool had_event, uint64_t now_ms)
{
	if (had_event)
		b->is_stale = true;
	if (board_wait_ms(b, now_ms) > 0)
		return;
	take_counts(&b->now, pool, draining);
	b->now.published_ms = now_ms;
	b->is_stale = false;
	board_publish(b);
}

int
board_wait_ms(const struct board *b, uint64_t now_ms)
{
	uint64_t due_ms = b->now.published_ms +
			  (b->is_stale ? BOARD_EVENT_MS : BOARD_REST_MS);

	return now_ms >= due_ms ? 0 : (int)(due_ms - now_ms);
}

static void
take_counts(struct board_pool *p, const struct fdpool *pool, bool draining)
{
	struct fdpool_worker_info info;

	p->draining = draining;
	fdpool_counts(pool, &p->total);
	p->n_workers = fdpool_workers(pool);
	for (unsigned i = 0; i < p->n_workers; i++) {
		fdpool_worker_info(pool, i, &info);
		p->row[i].state = info.state;
		p->row[i].pid = info.pid;
		p->row[i].slots = info.slots;
		p->row[i].counts = info.counts;
	}
}

/* Who sees a word of this copy sees also that the one before it has been
 * published: the copy was free then. */
void
board_publish(struct board *b)
{
	uint64_t n = atomic_load_explicit(&b->latch->n, memory_order_relaxed) +
		     1;

	atomic_thread_fence(memory_order_release);
	words_set(b->latch->copy[n % 2], &b->now,
	    HEAD_WORDS + b->now.n_workers * ROW_WORDS);
	atomic_store_explicit(&b->latch->n, n, memory_order_release);
}

void
board_read(const struct board *b, struct board_pool *p)
{
	const struct board_latch *l = (const void *)b->all;
	uint64_t n, after;

	do {
		n = atomic_load_explicit(&l->n, memory_order_acquire);
		words_get(p, l->copy[n % 2], HEAD_WORDS);
		if (p->n_workers > FDPOOL_WORKERS_MAX)
			p->n_workers = FDPOOL_WORKERS_MAX; /* torn */
		words_get(p->row, l->copy[n % 2] + HEAD_WORDS,
		    p->n_workers * ROW_WORDS);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&l->n, memory_order_relaxed);
	} while (after != n);
}

static void
words_get(void *to, const struct board_counter *from, size_t n)
{
	uint64_t *word = to;

	for (size_t i = 0; i < n; i++)
		word[i] = board_get(&from[i]);
}

static void
words_set(struct board_counter *to, const void *from, size_t n)
{
	const uint64_t *word = from;

	for (size_t i = 0; i < n; i++)
		board_set(&to[i], word[i]);
}
