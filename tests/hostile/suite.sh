# suite.sh: what the hostile suite's scripts add to the native suite's: booting
# an attacking guest and watching the process from outside while it attacks.
# Each NAME.t sources it. It runs in a network namespace of its own, with taps.

if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "${BASH_SOURCE[0]}")/../guests/suite.sh"
attackers=$top/build/hostile
LIMIT=${HOSTILE_LIMIT:-60}
stop=${HOSTILE_STOP:-} # set: one check that fails is enough

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip link set lo up
truncate -s 4M "$T/image"
mkfifo "$T/in" "$T/pipe"
exec 7<>"$T/in"

# tap NAME [PEER]: where guests find 10.9.0.1.
tap() {
	ip tuntap add "$1" mode tap vnet_hdr
	ip addr add 10.9.0.1/24 dev "$1"
	ip link set "$1" up
}

# flood INTERFACE: packets of three lengths for whoever listens there, without end;
# calm: the end of them.
flooder=
flood() {
	local index
	index=$(ip -o link show "$1" | cut -d: -f1)
	exec 6< <(exec perl -e '
		socket(my $out, 17, 3, 0) or die; # AF_PACKET, SOCK_RAW
		my $to = pack("S n i S C C a8", 17, 0, $ARGV[0], 0, 0, 6, "\2\0\0\0\0\7");
		my @frames = map { "\2\0\0\0\0\7\2\0\0\0\0\1\x88\xb5" . "\x5a" x $_ } 46, 300, 1400;
		syswrite(STDOUT, "flooding\n");
		while (getppid != 1) { for (1 .. 1000) { send($out, $_, 0, $to) for @frames } }' \
		"$index" 7>&- 8<&-)
	flooder=$!
	read -r -t "$LIMIT" _ <&6
}
calm() {
	[ -n "$flooder" ] || return 0
	kill $flooder
	wait $flooder 2>/dev/null
	exec 6<&-
	flooder=
}

# answer: what was asked for is done: a byte of input, unless a script has another way.
answer() { echo >&7; }

# look NAME: the process as it is now: memory besides the guest's RAM (which
# is mapped without reservation, "nr"), threads, and the CPU time of each (ns).
look() {
	perl -e '
		my ($pid, $kib, $rss, %cpu) = ($ARGV[0], 0, 0);
		open(my $maps, "<", "/proc/$pid/smaps") or exit 1;
		while (<$maps>) {
			$rss = $1 if /^Rss:\s+(\d+)/;
			$kib += $rss if /^VmFlags:/ && !/ nr/;
		}
		for my $task (glob("/proc/$pid/task/*")) {
			open(my $comm, "<", "$task/comm") or next;
			open(my $time, "<", "$task/schedstat") or next;
			chomp(my $name = <$comm>);
			next if $name =~ /^iou-/; # the kernel adds and takes away workers
			$cpu{$name} = (split " ", <$time>)[0];
		}
		open(my $status, "<", "/proc/$pid/status") or exit 1;
		my ($data) = map { /^VmData:\s+(\d+)/ ? $1 : () } <$status>;
		print "memory $kib\ndata $data\nthreads ", scalar(keys %cpu), "\n";
		print "cpu $_ $cpu{$_}\n" for sort keys %cpu;' $pid >"$T/look-$1"
}
figure() { sed -n "s/^$2 //p" "$T/look-$1"; }

# attack LABEL ARGS...: boot the guest with the network, the disk and all;
# look at the process when the guest says so; relay its checks; add our own.
# What it may leave on standard error: lines that name a broken rule, and
# lines that match $also. A "do WHAT" of its is for the script's do_step.
under=() # a program that starts lodge
attack() {
	local label=$1 line busiest spent
	shift
	rm -f "$T"/look-*
	"${under[@]}" "$LODGE" "$@" <"${input:-$T/in}" >"$T/pipe" 2>"$T/err" 7>&- &
	pid=$!
	exec 8<"$T/pipe"
	: >"$T/out"
	# A read that ends by the bound says so with more than 128.
	while IFS= read -r -t "$LIMIT" line <&8 || { [ $? -le 128 ] || kill -KILL $pid; false; }; do
		line=${line%$'\r'}
		if [[ $line == "measure "* ]]; then
			look "${line#measure }"
			answer
		elif [[ $line == "do "* ]]; then
			do_step "${line#do }"
			answer
		else
			printf '%s\n' "$line" >>"$T/out"
			[[ -z $stop || $line != "not ok"* ]] || kill -KILL $pid
		fi
	done
	exec 8<&-
	wait $pid 2>/dev/null
	status=$?
	relay "$label" "$T/out"
	is "$status" "${ends:-0}" "$label: exit status ${ends:-0}"
	is "$(grep -vE "^lodge: warning: [a-z]+[0-9]: the guest's driver broke the rules: .*; the device waits for a reset\$${also:+|$also}" "$T/err" | head -20)" \
		"" "$label: nothing on standard error but broken rules"
	[ -z "$stop" ] || [ $failures = 0 ] || exit 1
	[ -e "$T/look-idle" ] || return 0

	is "$(figure end threads)" "$(figure begin threads)" "$label: no thread came or went"
	is "$(figure end data)" "$(figure begin data)" "$label: no memory was added"
	ok "$label: nor used: $(figure begin memory) KiB before, $(figure end memory) KiB after" \
		[ $(($(figure end memory) - $(figure begin memory))) -le 256 ]
	# While one vCPU computes, nobody else has anything to do: whoever spins
	# would take as much of a CPU as it does.
	spent=$(perl -e '
		my (%a, %b, $vcpu, $worst, $name);
		for my $file ([$ARGV[0], \%a], [$ARGV[1], \%b]) {
			open(my $in, "<", $file->[0]) or die;
			/^cpu (\S+) (\d+)/ and $file->[1]{$1} = $2 while <$in>;
		}
		$vcpu = $b{"lodge-vcpu0"} - $a{"lodge-vcpu0"};
		for (grep { !/^lodge-vcpu/ } keys %b) {
			my $t = $b{$_} - ($a{$_} // 0);
			($worst, $name) = ($t, $_) if !defined $worst || $t > $worst;
		}
		print int($vcpu / 1e6), " ", int($worst * 100 / ($vcpu || 1)), " $name"' \
		"$T/look-end" "$T/look-idle")
	read -r line spent busiest <<<"$spent"
	ok "$label: no thread spins: $busiest took $spent% of the $line ms the guest computed" \
		[ "$line" -ge 10 -a "$spent" -lt 25 ]
}
