/*
 * virtio.c: what a driver does on either transport: find the device,
 * negotiate, read its configuration. The order of the steps is that of
 * virtio 1.2, 3.1.1.
 */
#include "virtio.h"

bool virtio_find(struct virtio *v, unsigned type, unsigned n)
{
	return virtio_find_pci(v, type, n) || virtio_find_mmio(v, type, n);
}

uint64_t virtio_offered(struct virtio *v)
{
	return v->transport->get_features(v, 0) | (uint64_t)v->transport->get_features(v, 1) << 32;
}

uint8_t virtio_status(struct virtio *v)
{
	return v->transport->get_status(v);
}

bool virtio_reset(struct virtio *v)
{
	v->transport->set_status(v, 0);
	return poll_until(virtio_status(v) == 0);
}

bool virtio_negotiate(struct virtio *v, uint64_t wanted)
{
	if (!virtio_reset(v))
		return false;
	v->transport->set_status(v, STATUS_ACKNOWLEDGE);
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	v->features = (virtio_offered(v) & wanted) | F_VERSION_1;
	v->transport->set_features(v, 0, v->features);
	v->transport->set_features(v, 1, v->features >> 32);
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return virtio_status(v) & STATUS_FEATURES_OK;
}

bool virtio_queue_reset(struct virtio *v, unsigned queue)
{
	v->transport->queue_reset(v, queue);
	return poll_until(!v->transport->queue_resetting(v, queue));
}

void virtio_driver_ok(struct virtio *v)
{
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK |
					    STATUS_DRIVER_OK);
}

uint8_t config8(struct virtio *v, unsigned offset)
{
	return read8(v->config + offset);
}

uint16_t config16(struct virtio *v, unsigned offset)
{
	return read16(v->config + offset);
}

uint32_t config32(struct virtio *v, unsigned offset)
{
	return read32(v->config + offset);
}

/* In two halves, as the specification asks, until no change fell between. */
uint64_t config64(struct virtio *v, unsigned offset)
{
	uint32_t generation;
	uint64_t value;

	do {
		generation = v->transport->generation(v);
		value = config32(v, offset) | (uint64_t)config32(v, offset + 4) << 32;
	} while (generation != v->transport->generation(v));
	return value;
}
