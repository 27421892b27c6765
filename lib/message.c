#include "message.h"

#include <errno.h>
#include <string.h>

static_assert(CTL_TYPES <= 32, "a bit for each type");

int
fdp_op_run(const struct fdp_op *ops, void *ctx, unsigned phase, uint32_t *seen,
    const void *msg, size_t len, bool has_fd)
{
	const struct fdp_op *op;
	uint32_t type;

	if (len < sizeof(type))
		return -EPROTO;
	memcpy(&type, msg, sizeof(type));
	if (type >= CTL_TYPES || ops[type].run == NULL)
		return -EPROTO;
	op = &ops[type];
	if (len != op->size || (op->phases & phase) == 0)
		return -EPROTO;
	if ((op->flags & OP_ONCE) && (*seen & (1U << type)))
		return -EPROTO;
	if (has_fd != ((op->flags & OP_FD) != 0))
		return -EPROTO;
	*seen |= 1U << type;
	return op->run(ctx, msg);
}
