/*
 * boot-arm64.c: the steps from a kernel file to a guest that can start (tour 6).
 *
 * main calls boot_prepare() once RAM exists and all devices are known. The
 * kernel says where it lies and where the initrd may go; all else it is handed,
 * its command line included, is in the device tree, so that comes last.
 *
 * Next in the tour: image.c, the kernel, and fdt.c, the machine.
 */
#include "boot-arch.h"
#include "layout.h"

static const struct boot_format formats[] = {
	{ image_matches, image_load },
	{ image_gzip_matches, image_gzip_load },
};

int boot_prepare(const struct machine *machine, const struct boot_options *options,
		 struct vcpu_entry *entry)
{
	char cmdline[LAYOUT_CMDLINE_MAX];
	struct kernel kernel = { 0 };
	struct initrd initrd = { 0 };
	int len;

	if (boot_load_kernel(options->kernel, formats, sizeof(formats) / sizeof(formats[0]),
			     "neither an arm64 Image nor one compressed by gzip", machine->memory,
			     &kernel) < 0)
		return -1;
	if (options->initrd && initrd_load(options->initrd, machine->memory, &kernel, &initrd) < 0)
		return -1;
	if (cmdline_write(machine, options, &kernel, cmdline) < 0)
		return -1;
	len = fdt_write(machine, &kernel, &initrd, cmdline);
	if (len < 0)
		return -1;
	if (options->dump &&
	    boot_dump("--dump-dtb", options->dump,
		      memory_at(machine->memory, kernel.arch.fdt, (uint64_t)len), (size_t)len) < 0)
		return -1;
	kernel.entry.x0 = kernel.arch.fdt;
	*entry = kernel.entry;
	return 0;
}
