/*
 * bzimage.c: the compressed kernels that distributions ship.
 *
 * boot.c calls in. The first sectors are real-mode code we do not need, with
 * the setup header inside; the rest is a program that unpacks the kernel and
 * has a 64-bit entry 0x200 bytes in. The header tells how much memory the
 * unpacking needs (init_size), which is what we check against: a kernel that
 * overwrites the end of memory fails in silence.
 *
 * Source: Documentation/arch/x86/boot.rst.
 */
#include <string.h>

#include "boot-arch.h"
#include "layout.h"
#include "log.h"

#define SETUP_HEADER 0x1f1 /* where it starts, in the file */
#define SETUP_LENGTH 0x201 /* the byte that tells where it ends, counted from 0x202 */
#define SECTOR       512
#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define VERSION_MIN  0x020c     /* first with xloadflags */
#define ENTRY_64     0x200

bool bzimage_matches(const uint8_t *start, size_t len)
{
	struct setup_header header;

	if (len < SETUP_HEADER + sizeof(header))
		return false;
	memcpy(&header, start + SETUP_HEADER, sizeof(header));
	return header.boot_flag == BOOT_FLAG && header.header == HEADER_MAGIC;
}

static int read_header(const struct boot_file *file, struct setup_header *header)
{
	uint8_t start[SETUP_HEADER + sizeof(*header)];
	size_t end;

	if (boot_file_read(file, 0, start, sizeof(start)) < 0)
		return -1;
	/* The header grew with the protocol: this file's may be shorter than ours. */
	end = 0x202 + (size_t)start[SETUP_LENGTH];
	if (end > sizeof(start))
		end = sizeof(start);
	memset(header, 0, sizeof(*header));
	memcpy(header, start + SETUP_HEADER, end - SETUP_HEADER);

	if (header->version < VERSION_MIN || !(header->xloadflags & XLF_KERNEL_64)) {
		log_error("%s: boot protocol %u.%02u without a 64-bit entry; need 2.12 and a "
			  "64-bit kernel",
			  file->name, header->version >> 8, header->version & 0xff);
		return -1;
	}
	return 0;
}

/*
 * Where it should go. A kernel that prefers an address moves itself there if it is loaded
 * below ("Boot protocol", pref_address): with less memory it would run over the end.
 * 0: nowhere.
 */
static uint64_t choose_address(const struct setup_header *header, const struct memory *memory,
			       uint64_t need)
{
	uint64_t align = header->kernel_alignment, low, wanted = header->pref_address;

	if (wanted >= LAYOUT_HIGH_RAM) /* and not beyond what it can be entered at */
		return wanted < LAYOUT_LOW_RAM_MAX && memory_at(memory, wanted, need) ? wanted : 0;
	if (!header->relocatable_kernel || align == 0 || (align & (align - 1)))
		return 0;
	low = (LAYOUT_HIGH_RAM + align - 1) & ~(align - 1);
	return memory_at(memory, low, need) ? low : 0;
}

int bzimage_load(const struct boot_file *file, const struct memory *memory, struct kernel *kernel)
{
	struct setup_header *header = &kernel->arch.setup;
	uint64_t start, size, need, gpa;

	if (read_header(file, header) < 0)
		return -1;
	start = ((uint64_t)(header->setup_sects ? header->setup_sects : 4) + 1) * SECTOR;
	size = (uint64_t)header->syssize * 16;
	if (start >= file->size || size > file->size - start + 15) {
		log_error("%s: truncated: its header promises %llu bytes, it has %llu", file->name,
			  (unsigned long long)(start + size), (unsigned long long)file->size);
		return -1;
	}
	size = file->size - start;
	need = header->init_size > size ? header->init_size : size;
	if (size <= ENTRY_64) {
		log_error("%s: too short for a 64-bit kernel", file->name);
		return -1;
	}

	gpa = choose_address(header, memory, need);
	if (gpa == 0) {
		log_error("%s: needs %llu MiB of memory from address 0x%llx on; give the guest "
			  "more with -m",
			  file->name, (unsigned long long)((need + 0xfffff) >> 20),
			  (unsigned long long)header->pref_address);
		return -1;
	}
	if (boot_file_read(file, start, memory_at(memory, gpa, size), size) < 0)
		return -1;

	kernel->entry = (struct vcpu_entry){ .mode = VCPU_ENTRY_LONG64, .rip = gpa + ENTRY_64 };
	kernel->end = gpa + need;
	kernel->initrd_max = header->initrd_addr_max;
	kernel->cmdline_max = header->cmdline_size;
	header->code32_start = (uint32_t)gpa;
	return 0;
}
