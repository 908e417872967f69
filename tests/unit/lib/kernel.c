/*
 * kernel.c: loading bytes as if they were a kernel file.
 */
#include <string.h>
#include <unistd.h>

#include "kernel.h"

struct load load_bytes(loader load, const struct memory *memory, const void *bytes, size_t len)
{
	struct load loaded = { 0 };
	struct boot_file file;

	capture_start(STDERR_FILENO);
	if (boot_file_open(&file, "kernel", unit_file("kernel", bytes, len)) == 0)
		loaded.result = load(&file, memory, &loaded.kernel);
	else
		loaded.result = -1;
	boot_file_close(&file);
	loaded.said = capture_end();
	return loaded;
}

void assert_refused(const struct load *load, const char *part)
{
	if (load->result == 0)
		fail_msg("loaded, instead of '%s'", part);
	assert_int_equal(load->result, -1);
	assert_one_line_with(load->said, part);
}
