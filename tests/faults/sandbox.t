#!/bin/bash
# sandbox.t: every thread is under a filter of its kind, and whoever tries what
# it forbids ends the process; what root gives up with --user, and that nothing
# needs root to begin with. In a network and mount namespace of its own.
#
# No part of lodge misbehaves on request, so `intrude` stops a thread and makes
# it do a system call, as somebody would who had broken into it.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
	LODGE_TEST_NAMESPACES=1 exec unshare --net --mount -- "$0"
fi
. "$(dirname "$0")/../guests/suite.sh"

ip link set lo up
truncate -s 1M "$T/image"
run=(-d "$T/image" -n tap "$guests/ending.elf" end=wait)
threads="lodge lodge-vcpu0 lodge-console0 lodge-rng0 lodge-block0 lodge-net0"

# field NAME: what this says of every thread of the lodge that runs, each value once.
field() { sed -n "s/^$1:[[:space:]]*//p" /proc/$pid/task/*/status | sort -u; }

# --- The filters are there, and --sandbox=off means it ---
start "${run[@]}" </dev/null
is "$(field Seccomp)" 2 "every thread has a filter"
is "$(field NoNewPrivs)" 1 "no thread can gain privileges"
is "$(cat /proc/$pid/task/*/comm | grep '^lodge' | sort | xargs)" \
	"$(printf '%s\n' $threads | sort | xargs)" "the threads are those tried below"
kill $pid
finish
is "$status" 143 "and the guest ends as ever"

start --sandbox=off "${run[@]}" </dev/null
is "$(field Seccomp)" 0 "--sandbox=off: no filter"
is "$(field NoNewPrivs)" 1 "--sandbox=off: no new privileges all the same"
for thread in $threads; do
	for call in openat socket mmap-exec; do
		said=$("$tools/intrude" $pid $thread $call)
		ok "--sandbox=off: $thread can $call" [ "${said:--1}" -ge 0 ]
	done
done
kill $pid
finish
is "$status" 143 "--sandbox=off: the guest did not notice"

lodge --sandbox=perhaps "$guests/ending.elf" </dev/null
is "$status" 2 "--sandbox=perhaps: exit status 2"
like "$(<"$T/err")" "^lodge: --sandbox: 'perhaps'" "--sandbox=perhaps: which is named"

# --- A thread that tries ---
# caught THREAD CALL NAME: the process ends with status 6 and says who tried what.
caught() {
	start "${run[@]}" </dev/null
	"$tools/intrude" $pid $1 $2 >/dev/null || kill -KILL $pid
	finish
	is "$status" 6 "$1, $2: exit status 6"
	is "$(<"$T/err")" "lodge: sandbox: thread $1 tried the forbidden system call $3: a fault of lodge, or an attack by the guest" \
		"$1, $2: one line says so"
}
for thread in $threads; do
	caught $thread openat "openat (number 257)"
	caught $thread open "open (number 2)"
	caught $thread socket "socket (number 41)"
	caught $thread execve "execve (number 59)"
	caught $thread execveat "execveat (number 322)"
	caught $thread io_uring_setup "io_uring_setup (number 425)"
	caught $thread io_uring_register "io_uring_register (number 427)"
	caught $thread clone3 "clone3 (number 435)"
	caught $thread clone-vm "clone (number 56)"
	caught $thread mmap-exec "mmap (number 9)"
	caught $thread mprotect-exec "mprotect (number 10)"
	caught $thread kill "kill (number 62)"
	caught $thread ptrace "ptrace (number 101)"
	caught $thread unlink "unlink (number 87)"
	caught $thread tiocsti "ioctl (number 16)"
	caught $thread kvm-memory "ioctl (number 16)"
	caught $thread i386-open "of no known name, (number 5)"
done

# What is allowed stays allowed, and does no harm: the intruder itself is not what ends it.
start "${run[@]}" </dev/null
for thread in $threads; do
	is "$("$tools/intrude" $pid $thread getpid)" $pid "$thread, getpid: allowed"
done
kill $pid
finish
is "$status" 143 "and the guest did not notice"

# Somebody's kill -SYS is no violation.
start "${run[@]}" </dev/null
kill -SYS $pid
finish
is "$status" 159 "SIGSYS from outside: exit status 159"

# --- Root that becomes somebody else ---
read -r uid gid < <(getent passwd nobody | awk -F: '{ print $3, $4 }')
daemon=$(getent group daemon | cut -d: -f3)
start --user nobody "${run[@]}" </dev/null
is "$(field Uid)" "$uid	$uid	$uid	$uid" "--user: every thread has the user's id"
is "$(field Gid)" "$gid	$gid	$gid	$gid" "--user: and the group's"
is "$(field Groups)" "" "--user: no further groups"
for set in CapInh CapPrm CapEff CapAmb; do
	is "$(field $set)" 0000000000000000 "--user: $set is empty"
done
kill $pid
finish
is "$status" 143 "--user: the guest ends as ever"
start --user nobody:daemon "${run[@]}" </dev/null
is "$(field Gid)" "$daemon	$daemon	$daemon	$daemon" "--user nobody:daemon: the group named"
kill $pid
finish
# by_number USER UID GID: as numbers; where none of them has a name, the group must be given.
by_number() {
	start --user "$1" "${run[@]}" </dev/null
	is "$(field Uid)" "$2	$2	$2	$2" "--user $1: the user's id"
	is "$(field Gid)" "$3	$3	$3	$3" "--user $1: and the group's"
	kill $pid
	finish
}
by_number "$uid" "$uid" "$gid"
by_number "nobody:$daemon" "$uid" "$daemon"
by_number 4000000000:4000000001 4000000000 4000000001
chmod 600 "$T/image"
guest "--user, with a disk only root can open" --user nobody -d "$T/image" "$guests/block.elf" \
	capacity=2048 cksum="$(cksum <"$T/image" | cut -d' ' -f1)"

# refused NAME REGEX ARGS...: before any guest runs.
refused() {
	local name=$1 regex=$2
	shift 2
	"${as[@]}" timeout -k 2 "$LIMIT" "$LODGE" "$@" "$guests/ending.elf" end=poweroff </dev/null >"$T/out" 2>"$T/err"
	is $? 1 "$name: exit status 1"
	is "$(wc -l <"$T/err")" 1 "$name: one line"
	like "$(<"$T/err")" "$regex" "$name: which says so"
}
as=()
refused "--user, unknown" "no user 'nemo'" --user nemo
refused "--user, unknown group" "no group 'nemo'" --user nobody:nemo
refused "--user, a number without a group" "'4000000000' is in no group here; name one" --user 4000000000
refused "--user, a number that means no change" "no user '4294967295'" --user 4294967295:1
refused "--user, a group that means no change" "no group '4294967295'" --user nobody:4294967295
refused "--user 0" "root, which gives up nothing" --user 0
long=$(printf 'x%.0s' {1..300})
refused "--user, a long name" "no user '$long'" --user "$long"
refused "--user root" "root, which gives up nothing" --user root

# --- Somebody else from the start: /dev/kvm and a tap that was passed on will do ---
chmod 755 "$T"
mkdir "$T/dev"
mount -t tmpfs -o mode=755 tmpfs "$T/dev"
mknod -m 666 "$T/dev/kvm" c 10 232
mount --bind "$T/dev/kvm" /dev/kvm
cp "$LODGE" "$guests/ending.elf" "$T/dev"
as=(setpriv --reuid "$uid" --regid "$gid" --clear-groups --inh-caps=-all --bounding-set=-all)
ip tuntap add t0 mode tap vnet_hdr
ip link set t0 up
# A supervisor opens the tap; 0x400454ca is TUNSETIFF, and the flags are those of a
# tap with headers of virtio-net.
# shellcheck disable=SC2016
supervise='
	open(my $tap, "+<", "/dev/net/tun") or die "tun: $!\n";
	my $request = pack("a16 S x22", "t0", 0x5002);
	ioctl($tap, 0x400454ca, $request) or die "TUNSETIFF: $!\n";
	fcntl($tap, 2, 0) or die "F_SETFD: $!\n";
	open(STDIN, "<", "/dev/null");
	exec @ARGV[0 .. $#ARGV - 3], "--net", "fd=" . fileno($tap), @ARGV[$#ARGV - 2 .. $#ARGV] or die "exec: $!\n";'
rm -f "$T/pipe"
mkfifo "$T/pipe"
perl -e "$supervise" -- "${as[@]}" "$T/dev/$(basename "$LODGE")" -v "$T/dev/ending.elf" end=wait x >"$T/pipe" 2>"$T/err" &
pid=$!
exec 8<"$T/pipe"
IFS= read -r -t "$LIMIT" line <&8
is "${line%$'\r'}" ready "without privileges: the guest runs"
is "$(field Uid)" "$uid	$uid	$uid	$uid" "without privileges: nobody's"
is "$(field CapEff)" 0000000000000000 "without privileges: no capability"
is "$(grep -c lodge-net0 /proc/$pid/task/*/comm | grep -c ':1')" 1 "without privileges: with a network"
kill $pid
finish
is "$status" 143 "without privileges: and ends as ever"
refused "--user, not root" "only root can become 'daemon'" --user daemon

# --- /dev/kvm as it may be ---
chmod 600 "$T/dev/kvm"
refused "/dev/kvm of somebody else" "^lodge: /dev/kvm: Permission denied; join the group" -v
as=()
umount /dev/kvm
mount -t tmpfs -o mode=755 tmpfs /dev
mknod -m 666 /dev/null c 1 3
refused "no /dev/kvm" "^lodge: /dev/kvm: No such file.*load kvm_intel or kvm_amd"
mknod -m 666 /dev/kvm c 1 3
refused "another device for /dev/kvm" "^lodge: /dev/kvm: it is not a KVM: Inappropriate ioctl for device\$"
umount /dev "$T/dev"
plan
