#!/bin/bash
# limits.t: too few file descriptors, too little memory, files that are not what
# they should be: lodge says so in one line and ends with status 1, wherever on
# its way it happens. In a network namespace of its own.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NAMESPACES=1 exec unshare $map --net -- "$0"
fi
. "$(dirname "$0")/faults.sh"

truncate -s 1M "$T/image"
run=(-c 2 -d "$T/image" -n tap "$guests/ending.elf" end=poweroff)

# under OPTION VALUE: run it with that limit (an option of prlimit).
under() {
	timeout -k 2 "$LIMIT" prlimit "$1=$2:" "$LODGE" "${run[@]}" </dev/null >"$T/out" 2>"$T/err"
	status=$?
}

# sweep NAME OPTION FIRST LAST STEP: with every value it either runs or says why not.
sweep() {
	local name=$1 option=$2 value bad=0 refused=0 ran=0
	for ((value = $3; value <= $4; value += $5)); do
		under "$option" $value
		# Before there is a lodge that could say something: the loader.
		grep -q 'error while loading shared libraries' "$T/err" && continue
		case $status:$(wc -l <"$T/err") in
		0:0) ran=$((ran + 1)) ;;
		1:1)
			refused=$((refused + 1))
			last=$(<"$T/err")
			;;
		*)
			bad=$((bad + 1))
			echo "# $name $value: status $status: $(head -c 400 "$T/err")"
			;;
		esac
	done
	is $bad 0 "$name: every value runs, or is refused in one line"
	ok "$name: some were refused ($refused)" [ $refused -gt 3 ]
	ok "$name: some ran ($ran)" [ $ran -gt 0 ]
	echo "# the last one refused: $last"
}
sweep "file descriptors" --nofile 4 80 1
sweep "address space" --as 8000000 700000000 8000000
under --fsize 0
is "$status/$(<"$T/err")" 0/ "no file may grow: it runs, having written into none"

# refused REGEX NAME ARGS...
refused() {
	local regex=$1 name=$2
	shift 2
	"${as[@]}" timeout -k 2 "$LIMIT" "$LODGE" "$@" </dev/null >"$T/out" 2>"$T/err"
	is $? 1 "$name: exit status 1"
	is "$(wc -l <"$T/err")" 1 "$name: one line"
	like "$(<"$T/err")" "^lodge: $regex" "$name: which says so"
	is "$(<"$T/out")" "" "$name: no guest"
}
as=()
k=$guests/ending.elf
: >"$T/empty"
truncate -s 100M "$T/large"
head -c 3000 "$k" >"$T/short"
head -c 3000 "$guests/boot.bzImage" >"$T/short.bzImage"
# The first PT_LOAD's p_memsz, of an ELF with its program headers at 64.
perl -e '
	local $/; open(my $in, "<", $ARGV[0]); my $elf = <$in>;
	for (my $at = unpack("Q", substr($elf, 32, 8)); ; $at += 56) {
		next if unpack("L", substr($elf, $at, 4)) != 1;
		substr($elf, $at + 40, 8) = pack("Q", 1 << 30);
		last;
	}
	open(my $out, ">", $ARGV[1]); print $out $elf;' "$k" "$T/huge"
refused ".*$T/huge.*" "kernel larger than memory" "$T/huge"
refused ".*$T/short: .*truncated" "truncated ELF kernel" "$T/short"
refused ".*$T/short.bzImage: .*" "truncated bzImage" "$T/short.bzImage"
refused "/bin/true: not a kernel: " "a program as the kernel" /bin/true
refused "$T/empty: the kernel is empty" "empty kernel" "$T/empty"
refused "$T/large: the initrd .*give the guest more memory" "initrd larger than memory" -m 64M -i "$T/large" "$k"
refused "$T/empty: the initrd is empty" "empty initrd" -i "$T/empty" "$k"
refused "/dev/null: the kernel must be a regular file" "a device as the kernel" /dev/null
refused "$T: .*the initrd must be a regular file" "a directory as the initrd" -i "$T" "$k"
mkfifo "$T/pipe-of-nobody"
refused "$T/pipe-of-nobody: the kernel must be a regular file" "a pipe as the kernel" "$T/pipe-of-nobody"
refused "$T/pipe-of-nobody: the initrd must be a regular file" "a pipe as the initrd" -i "$T/pipe-of-nobody" "$k"
refused "--disk: $T/pipe-of-nobody: must be a regular file" "a pipe as an image" -d "$T/pipe-of-nobody" "$k"
refused "--disk: $T/pipe-of-nobody: must be a regular file" "a pipe as an image to read" -d "$T/pipe-of-nobody,ro" "$k"
refused "--disk: $T/empty: empty" "empty image" -d "$T/empty" "$k"
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$T"
	cp "$LODGE" "$k" "$T"
	cp "$k" "$T/secret"
	chmod 000 "$T/secret"
	chmod 666 "$T/image"
	# Nobody's /dev/kvm is ours: a descriptor would do, but a name is what it opens.
	mount_kvm='mount -t tmpfs -o mode=755 tmpfs "$0/dev" && mknod -m 666 "$0/dev/kvm" c 10 232 &&
		mount --bind "$0/dev/kvm" /dev/kvm && cd "$0" && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"'
	mkdir "$T/dev"
	as=(unshare --mount sh -c "$mount_kvm" "$T")
	LODGE=./$(basename "$LODGE")
	refused "./secret: cannot open the kernel: Permission denied" "unreadable kernel" ./secret
	refused "./secret: cannot open the initrd: Permission denied" "unreadable initrd" -i ./secret ./ending.elf
	refused "--disk: ./secret: cannot open it: Permission denied" "unreadable image" -d ./secret ./ending.elf
fi
plan
