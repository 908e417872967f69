/*
 * virtio.h: the guest's side of virtio 1.2: one driver interface over the two
 * transports, and split virtqueues over that. Made for tests, so every step a
 * driver normally takes in one go can also be taken alone, or wrongly.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "guest.h"

enum { VIRTIO_NET = 1, VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3, VIRTIO_RNG = 4 };

enum {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64,
	STATUS_FAILED = 128,
};

#define FEATURE(bit)    (1ull << (bit))
#define F_INDIRECT_DESC FEATURE(28)
#define F_EVENT_IDX     FEATURE(29)
#define F_VERSION_1     FEATURE(32)
#define F_RING_RESET    FEATURE(40)

#define NO_VECTOR  0xffff
#define MAX_QUEUES 8

struct virtio {
	const struct virtio_transport *transport;
	bool pci;
	unsigned type;
	uint64_t features;                /* what negotiation ended with */
	unsigned vectors[MAX_QUEUES + 1]; /* CPU vector of each queue, then of config */

	/* pci */
	unsigned function;
	uintptr_t common, isr, notify, config, msix_table, msix_pba;
	unsigned msix, msix_entries, notify_multiplier;
	/* mmio */
	uintptr_t base;
	unsigned gsi;
};

/* What a transport does. `queue` numbers are the device's; sel 0 and 1 are the
 * low and the high 32 feature bits. */
struct virtio_transport {
	uint32_t (*get_features)(struct virtio *, unsigned sel);
	void (*set_features)(struct virtio *, unsigned sel, uint32_t bits);
	uint8_t (*get_status)(struct virtio *);
	void (*set_status)(struct virtio *, uint8_t status);
	unsigned (*queue_max)(struct virtio *, unsigned queue);
	void (*queue_setup)(struct virtio *, unsigned queue, unsigned num, uint64_t desc,
			    uint64_t avail, uint64_t used);
	void (*queue_enable)(struct virtio *, unsigned queue);
	bool (*queue_enabled)(struct virtio *, unsigned queue);
	void (*queue_reset)(struct virtio *, unsigned queue);
	bool (*queue_resetting)(struct virtio *, unsigned queue);
	void (*route)(struct virtio *, unsigned queues); /* interrupts to vectors[] */
	void (*notify)(struct virtio *, unsigned queue);
	uint8_t (*acknowledge)(struct virtio *); /* read (and clear) the interrupt status */
	uint32_t (*generation)(struct virtio *);
};

/* The nth device of a type, on whichever transport this machine has. */
bool virtio_find(struct virtio *v, unsigned type, unsigned n);
bool virtio_find_pci(struct virtio *v, unsigned type, unsigned n);
bool virtio_find_mmio(struct virtio *v, unsigned type, unsigned n);

uint64_t virtio_offered(struct virtio *v);
bool virtio_reset(struct virtio *v); /* and wait until it says so */
/* Reset, then negotiate (offered & wanted) | VERSION_1, up to FEATURES_OK. */
bool virtio_negotiate(struct virtio *v, uint64_t wanted);
void virtio_driver_ok(struct virtio *v);
bool virtio_queue_reset(struct virtio *v, unsigned queue); /* RING_RESET, and wait */
uint8_t virtio_status(struct virtio *v);
uint8_t config8(struct virtio *v, unsigned offset);
uint16_t config16(struct virtio *v, unsigned offset);
uint32_t config32(struct virtio *v, unsigned offset);
uint64_t config64(struct virtio *v, unsigned offset);

/* One MSI-X entry: deliver `vector` to the CPU with APIC id `lapic`. */
void msix_route(struct virtio *v, unsigned entry, unsigned vector, unsigned lapic);
void msix_mask(struct virtio *v, unsigned entry, bool masked);
void msix_control(struct virtio *v, bool enable, bool function_mask);
bool msix_pending(struct virtio *v, unsigned entry);

/* --- virtqueues (ring.c) --- */

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
struct desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
struct avail {
	uint16_t flags, index, ring[];
};
struct used_element {
	uint32_t id, length;
};
struct used {
	uint16_t flags, index;
	struct used_element ring[];
};

struct queue {
	struct virtio *v;
	unsigned index, num;
	struct desc *desc;
	struct avail *avail;
	struct used *used;
	bool event_idx;
	uint16_t next_avail; /* chains added, published or not */
	uint16_t published;  /* avail->index as the device can see it */
	uint16_t next_used;
	uint16_t free, free_count;
	unsigned kicks; /* notifications actually sent */
	unsigned vector;
};

struct buffer {
	void *data;
	uint32_t length;
};

/* Queue `index` with at most `limit` entries (0: as many as the device has),
 * its rings in fresh memory, enabled. Before virtio_driver_ok(). */
void queue_open(struct queue *q, struct virtio *v, unsigned index, unsigned limit);

/* Offer a chain: first the `out` buffers the device reads, then the `in` ones
 * it writes. Returns the chain's head, -1 if the ring is full. The device does
 * not see it before queue_publish() or queue_kick(). */
int queue_add(struct queue *q, const struct buffer *b, unsigned out, unsigned in);
int queue_add_indirect(struct queue *q, const struct buffer *b, unsigned out, unsigned in);

void queue_publish(struct queue *q);
bool queue_wants_kick(struct queue *q, uint16_t old);
void queue_notify(struct queue *q); /* whether wanted or not */
void queue_kick(struct queue *q);   /* publish; notify if the device wants it */

int queue_take(struct queue *q, uint32_t *length);       /* a used chain's head, or -1 */
int queue_wait(struct queue *q, uint32_t *length);       /* polling, with a bound */
int queue_wait_irq(struct queue *q, uint32_t *length);   /* halting until the interrupt */
void queue_irq_at(struct queue *q, uint16_t used_index); /* used_event */
void queue_irq_off(struct queue *q);

#define used_index(q)  (*(volatile uint16_t *)&(q)->used->index)
#define used_event(q)  ((q)->avail->ring[(q)->num])
#define avail_event(q) (*(volatile uint16_t *)&(q)->used->ring[(q)->num])

#endif
