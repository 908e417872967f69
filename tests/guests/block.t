#!/bin/bash
# block.t: the block device, and what is in the image afterwards.
. "$(dirname "$0")/suite.sh"

# disk LABEL SIZE OPTIONS ARGS...: a fresh image, exercised.
disk() {
	local label=$1 size=$2 options=$3 sum
	shift 3
	head -c "$size" /dev/urandom >"$T/image"
	cp "$T/image" "$T/before"
	read -r sum _ < <(head -c $((size / 512 * 512)) "$T/image" | cksum)
	guest "$label" -d "$T/image$options" "$@" "$guests/block.elf" \
		capacity=$((size / 512)) cksum=$sum $words
}
# After a run that writes: the file is what the guest last read, and sectors
# that nobody wrote are as before.
untouched() {
	local size=$1 read_back
	read_back=$(sed -n 's/^# disk: //p' "$T/out")
	is "$(head -c $((size / 512 * 512)) "$T/image" | cksum | cut -d' ' -f1)" "$read_back" "$label: the file holds what the guest read"
	is "$(stat -c %s "$T/image")" "$size" "$label: the file's size is as before"
	ok "$label: the first sectors are as before" cmp -n 4096 "$T/image" "$T/before"
	ok "$label: and so are those before the last" \
		cmp -n 65536 -i $((size / 512 * 512 - 66048)) "$T/image" "$T/before"
	ok "$label: but not those written" bash -c '! cmp -s -n 4096 -i 4096 "$0/image" "$0/before"' "$T"
}
mib=1048576

label=pci words='serial=twenty-characters-id'
disk $label $((2 * mib)) ,serial=twenty-characters-id
untouched $((2 * mib))
label=mmio words=serial=ID
disk $label $((2 * mib)) ,serial=ID --transport mmio
untouched $((2 * mib))
label="odd size" words=
warning="last 100 bytes" disk "$label" $((2 * mib + 100)) ''
untouched $((2 * mib + 100))

label=read-only words=ro
disk $label $mib ,ro
ok "$label: the file is as before" cmp "$T/image" "$T/before"

if dd if=/dev/zero of="$T/direct" bs=4096 count=1 oflag=direct 2>/dev/null; then
	label=direct words=
	disk $label $((2 * mib)) ,direct
	untouched $((2 * mib))
fi
plan
