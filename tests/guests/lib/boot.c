/*
 * boot.c: the first C of a guest. Turns what the loader left, PVH's start
 * info or Linux's zero page, into one struct boot, runs main() and powers off.
 * It copies rather than points, since the loader's pages are plain RAM that a
 * test may overwrite.
 */
#include "guest.h"

struct boot boot;
extern uint64_t boot_data;
extern uint32_t boot_protocol;

struct pvh_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, map;
	uint32_t regions, reserved;
};
struct pvh_module {
	uint64_t address, size, command_line, reserved;
};
struct pvh_region {
	uint64_t base, size;
	uint32_t type, reserved;
};
struct e820_entry {
	uint64_t base, size;
	uint32_t type;
} __attribute__((packed));

static void copy_command_line(uint64_t from)
{
	const char *s = (const char *)from;

	for (unsigned i = 0; from && i < sizeof(boot.command_line) - 1 && s[i]; i++)
		boot.command_line[i] = s[i];
}

static void add_region(uint64_t base, uint64_t size, uint32_t type)
{
	if (boot.regions < array_length(boot.map))
		boot.map[boot.regions++] = (struct region){ base, size, type };
}

static void from_pvh(const struct pvh_start_info *info)
{
	const struct pvh_module *module = (const void *)info->module_list;
	const struct pvh_region *map = (const void *)info->map;

	boot.protocol = "pvh";
	copy_command_line(info->command_line);
	boot.rsdp = info->rsdp;
	if (info->modules) {
		boot.initrd = module->address;
		boot.initrd_size = module->size;
	}
	for (unsigned i = 0; info->version && i < info->regions; i++)
		add_region(map[i].base, map[i].size, map[i].type);
}

static void from_zero_page(const uint8_t *page)
{
	const struct e820_entry *map = (const void *)(page + 0x2d0);

	boot.protocol = "zero-page";
	copy_command_line(*(uint32_t *)(page + 0x228) | (uint64_t) * (uint32_t *)(page + 0xc8)
								<< 32);
	boot.initrd = *(uint32_t *)(page + 0x218) | (uint64_t) * (uint32_t *)(page + 0xc0) << 32;
	boot.initrd_size = *(uint32_t *)(page + 0x21c) | (uint64_t) * (uint32_t *)(page + 0xc4)
								 << 32;
	boot.rsdp = *(uint64_t *)(page + 0x70);
	for (unsigned i = 0; i < page[0x1e8]; i++)
		add_region(map[i].base, map[i].size, map[i].type);
}

const char *option(const char *key)
{
	size_t n = strlen(key);

	for (const char *s = boot.command_line; *s; s++) {
		bool start = s == boot.command_line || s[-1] == ' ';

		if (!start || !starts_with(s, key))
			continue;
		if (s[n] == '=')
			return s + n + 1;
		if (!s[n] || s[n] == ' ')
			return "";
	}
	return NULL;
}

uint64_t option_number(const char *key, uint64_t otherwise)
{
	const char *s = option(key);
	uint64_t v = 0;

	if (!s)
		return otherwise;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (*s - '0');
	return v;
}

void guest_start(void);
void guest_start(void)
{
	boot.data = (const uint8_t *)boot_data;
	if (boot_protocol == 1)
		from_pvh((const void *)boot_data);
	else
		from_zero_page((const void *)boot_data);
	irq_init();
	main();
	plan();
	power_off();
}
