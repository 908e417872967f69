#!/bin/bash
# acpi.t: the ACPI tables, read by the guest and disassembled outside by iasl.
. "$(dirname "$0")/suite.sh"

# tables LABEL ARGS...: boot, then turn the "@NAME hex" lines into NAME.dat
# and those into NAME.dsl.
tables() {
	local label=$1 name hex
	shift
	rm -rf "$T/tables"
	mkdir "$T/tables"
	lodge --dump-acpi "$T/dump" "$@" </dev/null
	grep -v '^@' "$T/out" >"$T/tap"
	relay "$label" "$T/tap"
	is "$status" 0 "$label: exit status 0"
	while read -r name hex; do
		printf %s "$hex" | perl -ne 'print pack "H*", $_' >"$T/tables/${name#@}.dat"
	done < <(grep '^@' "$T/out")
	for name in XSDT FACP APIC MCFG DSDT; do
		(cd "$T/tables" && timeout "$LIMIT" iasl -d $name.dat) >"$T/iasl" 2>&1
		result $? "$label: iasl disassembles $name"
		cmp "$T/tables/$name.dat" "$T/dump/${name,,}.dat" >"$T/cmp" 2>&1
		result $? "$label: --dump-acpi wrote the same $name"
		is "$(grep -hiE "error|invalid|warning|incorrect|could not" "$T/iasl" "$T/tables/$name.dsl")" "" \
			"$label: with nothing to complain of"
	done
	dsdt=$(<"$T/tables/DSDT.dsl")
}

tables "1 CPU" "$guests/acpi.elf" cpus=1
like "$dsdt" 'PNP0A08|PNP0A03' "DSDT: a PCI root"
like "$dsdt" 'PNP0501' "DSDT: a 16550"
like "$dsdt" '_S5' "DSDT: power-off"
(cd "$T/tables" && timeout "$LIMIT" iasl -p again DSDT.dsl) >"$T/iasl" 2>&1
result $? "DSDT: its disassembly compiles again"

tables "16 CPUs" -c 16 "$guests/acpi.elf" cpus=16 mmio=0

truncate -s 1M "$T/disk"
tables "mmio" --transport mmio -d "$T/disk" "$guests/acpi.elf" cpus=1 mmio=7
# What an interpreter makes of a device's resources: acpiexec runs the method.
resources() {
	timeout "$LIMIT" acpiexec -b "evaluate \\_SB.$1._CRS" "$T/tables/DSDT.dat" 2>&1 |
		perl -ne 'print map "$_ ", /\b[0-9A-F]{2}(?= )/g if /^ +[0-9A-F]{4}:/'
}
like "$(resources VM00)" "86 09 00 01 00 00 B0 FE 00 02 00 00 89 06 00 .. 01 05 00 00 00" "VM00: at 0xFEB00000, GSI 5"
like "$(resources VM16)" "86 09 00 01 00 00 B1 FE 00 02 00 00 89 06 00 .. 01 17 00 00 00" "VM16: at 0xFEB10000, GSI 23"

lodge --dump-acpi "$T/absent/too" "$guests/acpi.elf" </dev/null
is "$status" 1 "--dump-acpi where no directory can be: exit status 1"
like "$(<"$T/err")" "--dump-acpi: cannot make .*absent/too: No such file" "and says which"
touch "$T/file"
lodge --dump-acpi "$T/file" "$guests/acpi.elf" </dev/null
is "$status" 1 "--dump-acpi into a file: exit status 1"
like "$(<"$T/err")" "--dump-acpi: cannot write .*file/rsdp.dat: Not a directory" "and says which"
rm "$T/dump/xsdt.dat"
mkfifo "$T/dump/xsdt.dat"
lodge --dump-acpi "$T/dump" "$guests/ending.elf" end=poweroff </dev/null
is "$status" 1 "--dump-acpi into a pipe that nobody reads: exit status 1"
is "$(<"$T/err")" "lodge: --dump-acpi: cannot write $T/dump/xsdt.dat: a pipe that nobody reads" "and says which"
exec 9<>"$T/dump/xsdt.dat"
lodge --dump-acpi "$T/dump" "$guests/ending.elf" end=poweroff </dev/null
is "$status/$(<"$T/err")" 0/ "--dump-acpi into one with a reader: exit status 0"
is "$(timeout "$LIMIT" head -c 4 <&9)" XSDT "who gets the table"
exec 9<&-
lodge --dump-acpi "$T/dump" --transport mmio-cmdline "$guests/acpi.elf" </dev/null
is "$status" 2 "--dump-acpi without ACPI: exit status 2"
like "$(<"$T/err")" "there are no ACPI tables" "and says why"
plan
