/*
 * tap.c: a guest's voice. Test results leave as TAP lines through the first
 * serial port, so whatever the machine prints is what `prove` reads.
 */
#include "guest.h"

static unsigned checks;

/* Another way out than the serial port, for a guest that tests one. */
void (*print_through)(char c);

static void put(char c)
{
	static unsigned room;

	if (print_through) {
		print_through(c);
		return;
	}
	/* The transmitter holds 16 bytes: ask it once per 16, since asking costs
	 * as much as sending. */
	if (!room) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		room = 16;
	}
	room--;
	outb(COM1, c);
}

static void put_number(uint64_t v, unsigned base, unsigned width, char pad)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while ((v /= base));
	for (; width > n; width--)
		put(pad);
	while (n)
		put(digits[--n]);
}

/* Understands %s %c %d %u %x with #, 0, a width and l: enough for tests. */
static void vprint(const char *f, va_list args)
{
	for (; *f; f++) {
		bool alternate = false, is_long = false;
		unsigned width = 0;
		char pad = ' ';
		uint64_t v;

		if (*f != '%') {
			put(*f);
			continue;
		}
		for (f++; *f == '#' || *f == '0'; f++)
			*f == '#' ? (alternate = true) : (pad = '0');
		for (; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + (*f - '0');
		for (; *f == 'l' || *f == 'z'; f++)
			is_long = true;
		if (*f == 's') {
			for (const char *s = va_arg(args, const char *); *s; s++)
				put(*s);
			continue;
		}
		if (*f == '%') {
			put('%');
			continue;
		}
		v = is_long ? va_arg(args, uint64_t) : va_arg(args, unsigned);
		if (*f == 'c') {
			put(v);
		} else if (*f == 'x') {
			if (alternate) {
				put('0');
				put('x');
			}
			put_number(v, 16, width, pad);
		} else {
			if (*f == 'd' && (is_long ? (int64_t)v < 0 : (int32_t)v < 0)) {
				put('-');
				v = is_long ? -v : (uint32_t)-v;
			}
			put_number(v, 10, width, pad);
		}
	}
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}

void note(const char *format, ...)
{
	va_list args;

	print("# ");
	va_start(args, format);
	vprint(format, args);
	va_end(args);
	put('\n');
}

static void result(bool good, const char *format, va_list args)
{
	print("%sok %u - ", good ? "" : "not ", ++checks);
	vprint(format, args);
	put('\n');
}

bool ok(bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	result(good, format, args);
	va_end(args);
	return good;
}

bool is(uint64_t got, uint64_t want, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	result(got == want, format, args);
	va_end(args);
	if (got != want)
		note("got %#lx, want %#lx", got, want);
	return got == want;
}

void skip(const char *why)
{
	print("ok %u # SKIP %s\n", ++checks, why);
}

void plan(void)
{
	print("1..%u\n", checks);
}
