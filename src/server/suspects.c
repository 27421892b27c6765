#include <string.h>

#include "base/limits.h"
#include "server/suspects.h"

static struct suspect *find(struct suspects *, const struct addr *source);
static struct suspect *oldest(struct suspects *);
static uint64_t refused_ms(unsigned n_crashes);

uint64_t
suspects_accuse(struct suspects *ss, const struct addr *addr, uint64_t now)
{
	struct addr source = addr_source(addr);
	struct suspect *s = find(ss, &source);
	uint64_t calm, ms;

	if (s == NULL) {
		s = ss->n < SUSPECTS ? &ss->list[ss->n++] : oldest(ss);
		*s = (struct suspect){ .source = source };
	}
	calm = s->refused_to_ms > s->last_ms ? s->refused_to_ms : s->last_ms;
	calm = now > calm ? (now - calm) / LIM_CRASH_FORGET_MS : 0;
	s->n_crashes = calm < 32 ? s->n_crashes >> calm : 0;
	s->n_crashes++;
	s->last_ms = now;
	ms = refused_ms(s->n_crashes);
	if (ms > 0)
		s->refused_to_ms = now + ms;
	return ms;
}

bool
suspects_has(const struct suspects *ss, const struct addr *addr, uint64_t now)
{
	struct addr source = addr_source(addr);

	for (unsigned i = 0; i < ss->n; i++)
		if (now < ss->list[i].refused_to_ms &&
		    memcmp(&ss->list[i].source, &source, sizeof(source)) == 0)
			return true;
	return false;
}

static struct suspect *
find(struct suspects *ss, const struct addr *source)
{
	for (unsigned i = 0; i < ss->n; i++)
		if (memcmp(&ss->list[i].source, source, sizeof(*source)) == 0)
			return &ss->list[i];
	return NULL;
}

static struct suspect *
oldest(struct suspects *ss)
{
	struct suspect *old = &ss->list[0];

	for (unsigned i = 1; i < ss->n; i++)
		if (ss->list[i].last_ms < old->last_ms)
			old = &ss->list[i];
	return old;
}

/* 1 s for the third in a row, then doubling. */
static uint64_t
refused_ms(unsigned n_crashes)
{
	uint64_t ms = 1000;

	if (n_crashes < LIM_CRASHES)
		return 0;
	for (unsigned n = LIM_CRASHES; n < n_crashes; n++) {
		ms *= 2;
		if (ms >= LIM_CRASH_REFUSED_MS)
			return LIM_CRASH_REFUSED_MS;
	}
	return ms;
}
