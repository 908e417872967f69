# nested-job.sh: what the jobs of the nested suite share: TAP, and guests under
# Lodge whose every wait has a bound. Sourced by tests/boot/jobs/*, which run on a
# machine with real KVM (see tests/lib/nested).
#
# A job starts a guest, waits until something is to be seen, does something about
# it, and at last reads how it ended:
#
#     guest_start cloud-6.1 --cpus 2 -- lodge.job=facts,idle
#     guest_sees '^@idle'
#     kill -TERM "$lodge"
#     guest_wait
#     is "$status" 143 "..."
#
# or, for a guest that ends of itself, guest_run. They leave in the variables
#     lodge    the pid of the running lodge
#     status   its exit status; 124 or 137 if its time was over
#     output   the file with its standard output: the guest's console
#     errors   the file with its standard error

# shellcheck disable=SC2034  # jobs read what is only set here

set -u

: "${LODGE:?the program to test}"
boot=$(cd "$(dirname "${BASH_SOURCE[0]}")/../boot" && pwd)
build=$(cd "$boot/../.." && pwd)/build
scratch=$(mktemp -d)
output=$scratch/output
errors=$scratch/errors

# A guest under emulation is up within 5 seconds when the machine is idle; what it
# then does takes longer, up to minutes when other suites run beside it.
guest_bound=240

tests=0

# result GOOD NAME: one line of TAP. GOOD is an exit status, and ours.
result() {
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
	fi
	return "$1"
}
diag() { echo "$*" | sed 's/^/# /'; }

# ok NAME COMMAND [ARG...]: the command succeeds. What it says is shown if not.
ok() {
	local name=$1 said status
	shift
	said=$("$@" 2>&1)
	status=$?
	result "$status" "$name" || diag "$* ended with status $status: $said"
}

is() {
	[ "$1" = "$2" ]
	result $? "$3" && return
	diag "got:    $1
wanted: $2"
	return 1
}

# like GOT REGEX NAME: extended; ^ and $ are those of any line.
like() {
	grep -qE -- "$2" <<<"$1"
	result $? "$3" && return
	diag "got:    $1
wanted: /$2/"
	return 1
}

# Every job ends with this; one that ends without has no plan, and so has failed.
done_testing() {
	rm -rf "$scratch"
	echo "1..$tests"
}

# flavour NAME: the flavour of that name for this architecture.
flavour() {
	case $(uname -m) in
	aarch64) echo "arm64-$1" ;;
	*) echo "$1" ;;
	esac
}

# guest_start FLAVOUR|FILE [LODGE-OPTION...] [-- GUEST-CMDLINE-WORD...]
#
# A FLAVOUR (without its architecture) comes with its initrd, a FILE without. The guest's input is nothing, or
# the file $guest_input.
guest_start() {
	local kernel=$1 options=()
	shift
	if [ -d "$build/kernels/$(flavour "$kernel")" ]; then
		kernel=$(flavour "$kernel")
		options+=(--initrd "$build/nested/guest-$kernel.cpio.gz")
		kernel=$build/kernels/$kernel/vmlinuz
	fi
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	rm -f "$scratch/pid"
	mkfifo "$scratch/pid"
	# The shell in between tells the pid that lodge will have, and becomes it. We have
	# our background jobs ignore two signals, and lodge would leave it so.
	# shellcheck disable=SC2016
	timeout -k 5 "$guest_bound" env --default-signal=INT,QUIT sh -c 'echo $$ >"$0"; exec "$LODGE" "$@"' \
		"$scratch/pid" "${options[@]}" "$kernel" quiet "${@:2}" \
		<"${guest_input:-/dev/null}" >"$output" 2>"$errors" &
	guest=$!
	read -r lodge <"$scratch/pid"
}

# seen FILE REGEX PID: wait until a line like this is in the file, for as long as
# the process lives that writes it.
seen() {
	# perl, because grep waits for the end of a line and a prompt has none.
	perl -e 'while (sysread STDIN, $_, 4096) { exit 0 if ($t .= $_) =~ /$ARGV[0]/m } exit 1' \
		-- "$2" < <(tail -n +1 -f -s 0.1 --pid="$3" "$1") && return
	echo "never seen: $2"
	return 1
}

# guest_sees REGEX: the same on the guest's console.
guest_sees() { seen "$output" "$1" "$guest"; }

guest_wait() {
	wait "$guest"
	status=$?
	case $status in
	124 | 137) diag "lodge was not done after $guest_bound seconds" ;;
	esac
}

guest_run() {
	guest_start "$@"
	guest_wait
}

# said KEY: the values the guest gave for it, one a line (see boot/guest/init).
said() { tr -d '\r' <"$output" | sed -n "s,^@$1 ,,p"; }

# Lodge's last word on why it ended; there is none after a poweroff.
final_line() { tail -n 1 "$errors"; }

# guest_powered_off NAME: for a guest that was to do all its jobs and then power off.
# A failure shows what the guest had said until then.
guest_powered_off() {
	is "$status/$(final_line)/$(grep -c '^@end' "$output")" "0//1" \
		"$1: all done, and powered off" && return
	diag "its console ended with:
$(tail -n 15 "$output" | tr -d '\r')"
	diag "lodge said: $(cat "$errors")"
}

# tap NAME ADDRESS: a tap for a guest, with our end of it up.
tap() {
	ip tuntap add dev "$1" mode tap
	ip addr add "$2" dev "$1"
	ip link set dev "$1" up
}
