/*
 * ablate.h: ideas that can be switched off, one at a time, for study.
 *
 * Each of the things that make the network quick is a small piece of code
 * somewhere. `--ablate NAME` leaves that piece out, and nothing else, so that
 * what it brings can be measured (docs/network.md). Nobody should want this
 * for anything but measuring.
 */
#ifndef LODGE_ABLATE_H
#define LODGE_ABLATE_H

#include <stdbool.h>

enum idea {
	IDEA_EVENT_IDX,        /* VIRTIO_F_EVENT_IDX is not offered: flags instead */
	IDEA_IRQ_BATCH,        /* every packet is published alone, with its interrupt */
	IDEA_KICK_SUPPRESSION, /* kicks stay on while the device's thread is busy */
	IDEA_BATCH,            /* packets go to the tap one by one */
	IDEA_MRG_RXBUF,        /* VIRTIO_NET_F_MRG_RXBUF is not offered */
	IDEA_MSIX,             /* virtio-mmio instead of PCI: an ISR to read, an ACK to write */
};

/* Leave these out: "NAME[,NAME]...". False, after a line that names the one unknown. Main,
 * before any thread. */
bool ablate_take(const char *names);

/* Is this idea left out? Any thread: it never changes once threads exist. */
bool ablated(enum idea idea);

#endif
