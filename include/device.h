/*
 * device.h: the table of kinds of devices, and how one comes into being.
 *
 * A device is one file in devices/ and one line in devices/table.c. Its
 * option, that option's syntax and help, and its virtio description are
 * fields of its struct device_type; option parsing, --help and the slots on
 * the bus follow from the table alone.
 */
#ifndef LODGE_DEVICE_H
#define LODGE_DEVICE_H

#include "sandbox.h"
#include "stream.h"
#include "virtio.h"

struct device_type {
	const char *name; /* as in struct virtio_class */

	/* Its option: --disk, -d, "FILE[,ro]...". Each use makes one device. */
	const char *option;
	char letter;
	const char *syntax; /* NULL: the option takes no argument */
	const char *help;
	/* What the argument may begin with, for the help: false behind the last. Or NULL. */
	bool (*choice)(unsigned index, const char **syntax, const char **help);
	/* There is one without being asked for; the option, if any, takes it away. */
	bool by_default;

	/*
	 * Turn the option's argument into what create() wants: memory from
	 * malloc(), or NULL after a line that names the option and the part
	 * that is wrong. Opens no file. NULL for types without argument.
	 */
	void *(*parse)(const char *text);

	/*
	 * Make device number `index` of this type and its thread; it belongs to
	 * the caller, who hands it to virtio_destroy() and free(). Main, before
	 * vCPUs. Returns NULL after printing the reason.
	 */
	struct virtio_device *(*create)(unsigned index, const void *options,
					const struct memory *memory, struct stream *terminal);

	/* The system calls of its threads beyond those of any device; NULL: none. */
	const struct sandbox_rule *needs;
	/* And beyond those, what the words it takes bring along: list after list, then NULL. */
	const struct sandbox_rule *(*choice_needs)(unsigned index);
};

/* In the order of their slots; ends with NULL. */
extern const struct device_type *const device_types[];

extern const struct device_type console_device;
extern const struct device_type rng_device;
extern const struct device_type block_device;
extern const struct device_type net_device;

/*
 * Zeroed memory for a device or its options, as from calloc(). Prints the
 * reason, and for `who` (an option or a device) it was; NULL if there is none. Main.
 */
void *device_allocate(const char *who, size_t size);

/* virtio-console: the terminal changed its size. Main. */
void console_resize(struct virtio_device *device);

/*
 * One comma-separated part of an option's argument. Takes the next part off
 * *text, which is cut up in place; a doubled comma stands for a comma.
 * `value` is NULL if there is no "=". Returns false at the end.
 */
struct suboption {
	char *key, *value;
};
bool suboption_next(char **text, struct suboption *part);

#endif
