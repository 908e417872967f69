/*
 * guest.h: what a bare-metal test guest can call.
 *
 * A guest is one C file with a main(), which runs in ring 3 with every port
 * and all memory open to it, prints TAP on the first serial port, and powers
 * the machine off when it returns. The library beneath is as small as it can
 * be: it shares no code with the program under test and trusts nothing of it.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define array_length(a) (sizeof(a) / sizeof((a)[0]))

/* --- ports, memory-mapped registers, the CPU --- */

static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void outw(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void outl(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;
	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

/* Plain moves only: an emulator that decodes the access need not know more. */
#define MMIO(bits)                                                                                 \
	static inline uint##bits##_t read##bits(uintptr_t a)                                       \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		asm volatile("mov %1, %0"                                                          \
			     : "=a"(v)                                                             \
			     : "m"(*(volatile uint##bits##_t *)a)                                  \
			     : "memory");                                                          \
		return v;                                                                          \
	}                                                                                          \
	static inline void write##bits(uintptr_t a, uint##bits##_t v)                              \
	{                                                                                          \
		asm volatile("mov %1, %0"                                                          \
			     : "=m"(*(volatile uint##bits##_t *)a)                                 \
			     : "a"(v)                                                              \
			     : "memory");                                                          \
	}
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;
	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void barrier(void)
{
	asm volatile("mfence" ::: "memory");
}

/* Look again and again until `condition`, at most a few seconds: a bound for
 * a test that would otherwise hang, never a delay. Yields the condition. */
#define POLL_CYCLES 15000000000ull
#define poll_until(condition)                                                                      \
	({                                                                                         \
		uint64_t end_ = rdtsc() + POLL_CYCLES;                                             \
		bool met_;                                                                         \
		while (!(met_ = (condition)) && rdtsc() < end_)                                    \
			asm volatile("pause" ::: "memory");                                        \
		met_;                                                                              \
	})

/* --- how we were booted (boot.c) --- */

struct region {
	uint64_t base, size;
	uint32_t type; /* e820's: 1 is RAM, 2 reserved */
};
struct boot {
	const char *protocol; /* "pvh" or "zero-page" */
	const uint8_t *data;  /* the loader's own structure */
	char command_line[4096];
	uint64_t initrd, initrd_size;
	uint64_t rsdp;
	struct region map[64];
	unsigned regions;
};
extern struct boot boot;

int main(void);

/* The value of KEY=VALUE on the command line ("" for a bare KEY), or NULL. */
const char *option(const char *key);
uint64_t option_number(const char *key, uint64_t otherwise);

/* --- memory (memory.c) --- */

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool starts_with(const char *s, const char *start);
void *allocate(size_t bytes);               /* zeroed, page-aligned, never freed */
uint32_t cksum(const void *data, size_t n); /* as POSIX cksum(1) prints it */

/* --- output (tap.c) --- */

#define COM1 0x3f8
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void (*print_through)(char c); /* where to, if not the serial port */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool ok(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool is(uint64_t got, uint64_t want, const char *format, ...) __attribute__((format(printf, 3, 4)));
void skip(const char *why);
void plan(void); /* the number of checks, at the end */

/* --- interrupts and ring 0 (irq.c) --- */

extern uint32_t irq_count[256]; /* how often each vector was delivered */
#define irqs(vector) (*(volatile uint32_t *)&irq_count[vector])

#define LAPIC  0xfee00000
#define IOAPIC 0xfec00000
void irq_init(void);
void lapic_enable(void);
void irq_on(void);
void irq_off(void);
unsigned irq_vector(void);                     /* a vector nobody has yet */
void irq_wait(unsigned vector, uint32_t seen); /* halt until irqs(vector) != seen */
void ioapic_route(unsigned gsi, unsigned vector, unsigned lapic);
uint64_t ring0(uint64_t (*f)(uint64_t, uint64_t), uint64_t a, uint64_t b);
struct cpuid {
	uint32_t a, b, c, d;
};
struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);

/* --- more CPUs (smp.c) --- */

/* Start the CPU with this APIC id and run f(argument) there, in ring 3. */
void cpu_start(unsigned lapic, void (*f)(void *), void *argument);

/* --- ways to end (power.c) --- */

void power_off(void) __attribute__((noreturn));
void triple_fault(void) __attribute__((noreturn));
void stop(void) __attribute__((noreturn)); /* halt for ever */

/* --- ACPI (acpi.c) --- */

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));
uint64_t acpi_rsdp(void);
const struct acpi_header *acpi_table(unsigned n); /* nth of the XSDT, or NULL */
const struct acpi_header *acpi_find(const char *signature, unsigned n);
uint8_t acpi_sum(const void *table, size_t n); /* 0 if the checksum is right */

/* --- PCI (pci.c) --- */

#define PCI_DEVICE(slot) ((slot) << 3) /* a function's number on bus 0 */
uint32_t pci_read(unsigned function, unsigned offset, unsigned bytes);
void pci_write(unsigned function, unsigned offset, unsigned bytes, uint32_t value);
uintptr_t pci_ecam(void); /* from the MCFG table, 0 if there is none */
unsigned pci_capability(unsigned function, unsigned id, unsigned after);
uint64_t pci_bar(unsigned function, unsigned bar);

#endif
