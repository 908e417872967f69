/*
 * memory.c: the few string functions the compiler and the guests expect, a
 * heap that only grows, and the checksum with which a guest and a shell
 * script (cksum) compare what they saw.
 */
#include "guest.h"

extern char guest_end[];

void *memcpy(void *to, const void *from, size_t n)
{
	void *start = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
	return start;
}

void *memset(void *to, int c, size_t n)
{
	void *start = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool starts_with(const char *s, const char *start)
{
	return !memcmp(s, start, strlen(start));
}

/* From 4 MiB up. A loader puts an initrd as high as it may, so growing into
 * one would take a guest far larger than any of ours; check all the same. */
void *allocate(size_t bytes)
{
	static uintptr_t next = 0x400000;
	uintptr_t start = next;

	next += (bytes + 4095) & ~4095ul;
	if (boot.initrd_size && next > boot.initrd && start < boot.initrd + boot.initrd_size) {
		ok(false, "no room: the initrd at %#lx is in the way", boot.initrd);
		triple_fault();
	}
	return memset((void *)start, 0, next - start);
}

uint32_t cksum(const void *data, size_t n)
{
	static uint32_t table[256];
	const uint8_t *p = data;
	uint32_t crc = 0;

	if (!table[1])
		for (unsigned i = 0; i < 256; i++) {
			table[i] = i << 24;
			for (int bit = 0; bit < 8; bit++)
				table[i] = table[i] << 1 ^ (table[i] >> 31) * 0x04c11db7;
		}
	for (size_t i = 0; i < n; i++)
		crc = crc << 8 ^ table[crc >> 24 ^ p[i]];
	for (; n; n >>= 8)
		crc = crc << 8 ^ table[crc >> 24 ^ (n & 0xff)];
	return ~crc;
}
