/*
 * acpi.c: find ACPI tables the way an operating system does: RSDP, XSDT,
 * table; the DSDT through the FADT.
 */
#include "guest.h"

uint8_t acpi_sum(const void *table, size_t n)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return sum;
}

uint64_t acpi_rsdp(void)
{
	if (boot.rsdp)
		return boot.rsdp;
	for (uint64_t a = 0xe0000; a < 0x100000; a += 16)
		if (starts_with((const char *)a, "RSD PTR "))
			return a;
	return 0;
}

const struct acpi_header *acpi_table(unsigned n)
{
	uint64_t rsdp = acpi_rsdp(), entry;
	const struct acpi_header *xsdt;

	if (!rsdp)
		return NULL;
	memcpy(&xsdt, (void *)(rsdp + 24), 8);
	if (!xsdt || n >= (xsdt->length - sizeof(*xsdt)) / 8)
		return NULL;
	memcpy(&entry, (const uint8_t *)(xsdt + 1) + 8 * n, 8);
	return (const struct acpi_header *)entry;
}

const struct acpi_header *acpi_find(const char *signature, unsigned n)
{
	const struct acpi_header *t;

	if (starts_with(signature, "DSDT")) {
		uint64_t dsdt = 0;

		t = acpi_find("FACP", 0);
		if (!t || n)
			return NULL;
		if (t->length >= 148)
			memcpy(&dsdt, (const uint8_t *)t + 140, 8);
		if (!dsdt)
			memcpy(&dsdt, (const uint8_t *)t + 40, 4);
		return (const struct acpi_header *)dsdt;
	}
	for (unsigned i = 0; (t = acpi_table(i)); i++)
		if (starts_with(t->signature, signature) && !n--)
			return t;
	return NULL;
}
