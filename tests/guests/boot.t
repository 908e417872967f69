#!/bin/bash
# boot.t: the three shapes of a kernel file, each with and without an initrd,
# and what reaches the guest's command line.
. "$(dirname "$0")/suite.sh"

head -c 3333333 /dev/urandom >"$T/initrd"
read -r sum size _ < <(cksum "$T/initrd")
expect=("initrd-size=$size" "initrd-cksum=$sum")

guest "PVH ELF" "$guests/boot.elf" protocol=pvh
guest "PVH ELF, initrd" -i "$T/initrd" "$guests/boot.elf" protocol=pvh "${expect[@]}"
guest "64-bit ELF" "$guests/boot-nonote.elf" protocol=zero-page
guest "64-bit ELF, initrd" --initrd "$T/initrd" "$guests/boot-nonote.elf" protocol=zero-page "${expect[@]}"
guest "bzImage" "$guests/boot.bzImage" protocol=zero-page bzimage
guest "bzImage, initrd" --initrd="$T/initrd" "$guests/boot.bzImage" protocol=zero-page bzimage "${expect[@]}"
guest "bzImage, initrd, 64 MiB" -m 64M -i "$T/initrd" "$guests/boot.bzImage" protocol=zero-page bzimage "${expect[@]}"
guest "bzImage, initrd, 8 GiB" -m 8G -i "$T/initrd" "$guests/boot.bzImage" protocol=zero-page bzimage "${expect[@]}"

# command_line WORD...: what the guest found, one of its words per line.
command_line() {
	lodge "$guests/$kernel" "$@" </dev/null
	sed -n 's/^# command line: //p' "$T/out"
}
for kernel in boot.elf boot-nonote.elf boot.bzImage; do
	line=$(command_line first=1 'two words' last)
	like "$line" 'first=1 two words last' "$kernel: the words in their order"
	like " $line " ' console=ttyS0 ' "$kernel: a console, since none was named"
	like " $line " ' panic=-1 ' "$kernel: a panic ends the machine"
	like " $line " ' reboot=panic_warm ' "$kernel: and says that it was one"
	line=$(command_line console=hvc0 panic=7 reboot=t)
	is "$(grep -o 'console=[^ ]*\|panic=[^ ]*\|reboot=[^ ]*' <<<"$line" | sort | tr '\n' ' ')" \
		'console=hvc0 panic=7 reboot=t ' "$kernel: nothing is added to what the user named"
	long=$(printf 'x%.0s' {1..1500})
	like "$(command_line "long=$long" end)" "long=$long end" "$kernel: 1500 characters arrive"
done
plan
