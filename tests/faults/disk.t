#!/bin/bash
# disk.t: the file behind a disk fails: the disk is full, the file became
# shorter, a read or a write does only part of the work, somebody else has it.
# The guest is told, request by request, and the device works on. (A device that
# fails underneath is tests/boot/faults.t.) In a mount namespace of its own.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NAMESPACES=1 exec unshare $map --mount -- "$0"
fi
. "$(dirname "$0")/faults.sh"

# --- Full ---
mkdir "$T/full"
mount -t tmpfs -o size=1m tmpfs "$T/full"
truncate -s 8M "$T/full/image"
orders -d "$T/full/image"
obeys "w 0 1024" ok "full: half of it can be written"
obeys "r 0 1024" "ok [0-9]+" "full: and read"
before=$answer
obeys "w 4096 2000" error "full: more than there is room for cannot"
obeys "f" ok "full: a flush has nothing against it"
like "$(<"$T/err")" "^lodge: warning: block0: cannot write at byte [0-9]+: No space left on device" \
	"full: one line says why"
order "r 0 1024"
is "$answer" "$before" "full: what was there before is as before"
for _ in {1..100}; do order "w 8192 2000"; done
ok "full: a hundred failures do not fill the log" [ "$(wc -l <"$T/err")" -lt 20 ]
mount -o remount,size=16m "$T/full"
obeys "w 4096 1024" ok "full: with room made, it works again"
dismiss full
umount "$T/full"

# --- Shorter ---
head -c 1M /dev/urandom >"$T/image"
orders -d "$T/image"
obeys "r 1024 8" "ok [0-9]+" "truncated: before, its middle can be read"
truncate -s 256K "$T/image"
obeys "r 1024 8" error "truncated: afterwards it cannot"
obeys "r 508 8" error "truncated: nor can a piece that only begins before the end"
obeys "r 504 8" "ok $(tail -c 4096 "$T/image" | cksum | cut -d' ' -f1)" "truncated: what is left can"
is "$(errors '^lodge: warning: block0: cannot read at byte [0-9]+: No data available')" 2 \
	"truncated: a line for each says so"
obeys "w 1024 8" ok "truncated: a write makes it longer again"
obeys "r 1024 8" "ok [0-9]+" "truncated: which can be read"
truncate -s 0 "$T/image"
obeys "r 0 1" error "empty: not even the first sector can be read"
dismiss truncated

# --- Part of the work: a write up to a limit, and not beyond ---
truncate -s 1M "$T/image"
ulimit -S -f 512 # KiB
orders -d "$T/image"
obeys "w 0 1024" ok "limited: up to the limit"
obeys "w 1016 16" error "limited: a write that ends beyond it"
like "$(<"$T/err")" "^lodge: warning: block0: cannot write at byte 524288: File too large" \
	"limited: had begun, and stopped at the limit"
obeys "w 1008 16" ok "limited: and one before it is possible as before"
dismiss limited
ulimit -S -f unlimited

# --- Part of the work: a read of which only the beginning is in memory ---
cat >"$T/traced" <<END
#!/bin/sh
exec strace -f -e trace=preadv2 -o "$T/trace" "$LODGE" "\$@"
END
chmod +x "$T/traced"
head -c 1M /dev/urandom >"$T/image"
sum=$(head -c 128K "$T/image" | cksum | cut -d' ' -f1)
LODGE=$T/traced orders -d "$T/image"
sync "$T/image"
dd if="$T/image" iflag=nocache count=0 status=none
# 221 is fadvise64, and 1 its FADV_RANDOM: no reading ahead.
perl -e 'open(my $in, "<", $ARGV[0]); syscall(221, fileno($in), 0, 0, 1); sysread($in, my $page, 4096)' "$T/image"
obeys "r 0 256" "ok $sum" "short read: all of it arrives, as it is"
dismiss "short read"
if grep -q ' = 4096$' "$T/trace"; then
	result 0 "short read: and one it was, 4096 bytes of 131072"
else
	result 0 "short read # SKIP this file system has the whole file in memory, or nothing"
fi

# --- Somebody else's ---
truncate -s 1M "$T/image" "$T/other"
# second NAME STATUS ARGS...: while the first one runs; refused for this $reason.
reason="in use"
second() {
	local name=$1 want=$2
	shift 2
	timeout -k 2 "$LIMIT" "$LODGE" "$@" "$guests/ending.elf" end=poweroff </dev/null >"$T/out2" 2>"$T/err2"
	is $? "$want" "$name: exit status $want"
	if [ "$want" = 0 ]; then
		is "$(<"$T/err2")" "" "$name: nothing to say"
	else
		like "$(<"$T/err2")" "^lodge: --disk: $T/(image|link): $reason" "$name: one line says so"
		is "$(<"$T/out2")" "" "$name: no guest"
	fi
}
orders -d "$T/image"
second "a second writer" 1 -d "$T/image"
second "a reader beside a writer" 1 -d "$T/image,ro"
second "a writer, with O_DIRECT" 1 -d "$T/image,direct"
second "another image" 0 -d "$T/other"
dismiss "a second writer"
second "a writer afterwards" 0 -d "$T/image"
orders -d "$T/image,ro"
second "a second reader" 0 -d "$T/image,ro"
second "a writer beside a reader" 1 -d "$T/image"
dismiss "a second reader"
ln -s image "$T/link"
reason="given twice; two disks can share it only if both are read-only"
second "one image twice" 1 -d "$T/image" -d "$T/image"
second "one image twice, by two names" 1 -d "$T/image" -d "$T/link"
second "one image twice, to write and to read" 1 -d "$T/image" -d "$T/other" -d "$T/link,ro"
second "one image twice, to read and to write" 1 -d "$T/image,ro,direct" -d "$T/link"
second "one image twice, to read" 0 -d "$T/image,ro" -d "$T/image,ro"
start -d "$T/image" "$guests/ending.elf" end=wait </dev/null
kill -KILL $pid
finish
second "after a SIGKILL" 0 -d "$T/image"
plan
