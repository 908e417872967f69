/*
 * ablate.c: which ideas are left out. options.c writes it once, before any
 * thread exists; whoever implements an idea asks. A process measures one thing
 * at a time, so this is one of the few globals.
 */
#include <string.h>

#include "ablate.h"
#include "log.h"

static const char *const names_of[] = {
	[IDEA_EVENT_IDX] = "event-idx",
	[IDEA_IRQ_BATCH] = "irq-batch",
	[IDEA_KICK_SUPPRESSION] = "kick-suppression",
	[IDEA_BATCH] = "batch",
	[IDEA_MRG_RXBUF] = "mrg-rxbuf",
	[IDEA_MSIX] = "msix",
};
#define IDEAS (sizeof(names_of) / sizeof(names_of[0]))

static bool left_out[IDEAS];

static bool take_one(const char *name, size_t len)
{
	for (unsigned i = 0; i < IDEAS; i++) {
		if (strlen(names_of[i]) == len && memcmp(names_of[i], name, len) == 0) {
			left_out[i] = true;
			return true;
		}
	}
	log_error("--ablate: '%.*s' is none of event-idx, irq-batch, kick-suppression, batch, "
		  "mrg-rxbuf, msix",
		  (int)len, name);
	return false;
}

bool ablate_take(const char *names)
{
	size_t len;

	for (;; names += len + 1) {
		len = strcspn(names, ",");
		if (!take_one(names, len))
			return false;
		if (names[len] == '\0')
			return true;
	}
}

bool ablated(enum idea idea)
{
	return left_out[idea];
}
