#!/bin/bash
# stats.t: --stats and SIGUSR1: what lodge counted is what its guest and the
# tap's interface counted, in JSON that others can read; and asking changes
# nothing. In a network namespace of its own.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
truncate -s 1M "$T/image"
json=$T/stats.json

# value GROUP COUNTER: from the file, by somebody else's parser; a GROUP may be
# a regex, and then the sum is printed.
value() {
	perl -MJSON::PP -e '
		my ($file, $group, $counter) = @ARGV;
		open(my $in, "<", $file) or die; local $/;
		my $stats = JSON::PP->new->decode(<$in>);
		my ($sum, @groups) = (0, grep { /^(?:$group)$/ } keys %$stats);
		die "no $group" unless @groups;
		for (@groups) { die "no $counter" unless defined $stats->{$_}{$counter}; $sum += $stats->{$_}{$counter}; }
		print $sum;' "$json" "$1" "$2"
}

# adds_up LABEL: what must hold for every queue, whatever the guest did.
adds_up() {
	is "$(perl -MJSON::PP -e '
		open(my $in, "<", $ARGV[0]) or die; local $/;
		my $stats = JSON::PP->new->decode(<$in>);
		my $queues = 0;
		for my $name (sort keys %$stats) {
			my $s = $stats->{$name};
			if ($name =~ /^vcpu/) {
				my $known = $s->{port_reads} + $s->{port_writes} + $s->{mmio_reads} + $s->{mmio_writes};
				print "$name: exits\n" if $s->{exits} < $known || !$s->{exits} && $name eq "vcpu0";
				next;
			}
			$queues++;
			my ($histogram, $least) = (0, 0);
			for (grep { /^batch_/ } keys %$s) {
				$histogram += $s->{$_};
				/^batch_(\d+)/ and $least += $1 * $s->{$_};
			}
			my $drops = 0;
			$drops += $s->{$_} for grep { /^dropped_/ } keys %$s;
			print "$name: histogram $histogram, batches $s->{batches}\n" if $histogram != $s->{batches};
			print "$name: interrupts and quiet\n" if $s->{interrupts} + $s->{quiet} != $s->{batches};
			print "$name: $least chains at least\n" if $least > $s->{chains};
			print "$name: drops\n" if $drops != $s->{dropped};
			print "$name: empty kicks\n" if $s->{empty_kicks} > $s->{kicks};
			print "$name: chains without a kick\n" if $s->{chains} > $s->{unkicked} + $s->{kicks} + 1;
		}
		print "no queues\n" unless $queues;' "$json")" "" "$1: all queues add up"
}

# --- Block: the guest counts along ---
for transport in pci mmio; do
	rm -f "$json"
	guest "$transport" --stats=json:"$json" --transport $transport -d "$T/image" "$guests/stats.elf"
	[[ $(<"$T/out") =~ chains\ ([0-9]+)\ bytes\ ([0-9]+)\ kicks\ ([0-9]+) ]]
	counted=("${BASH_REMATCH[@]}")
	is "$(value 'block0 queue 0' chains)" "${counted[1]}" "$transport: chains"
	is "$(value 'block0 queue 0' bytes)" "${counted[2]}" "$transport: bytes"
	kicks=$(value 'block0 queue 0' kicks)
	ok "$transport: kicks, $kicks of ${counted[3]}" [ "$kicks" -gt 0 -a "$kicks" -le "${counted[3]}" ]
	adds_up "$transport"
	ok "$transport: one JSON object, ending in a newline" perl -e 'local $/; exit(<STDIN> !~ /^\{.*\}\n\z/s)' <"$json"
done

# --- Net: the interface counts along ---
ip tuntap add t0 mode tap vnet_hdr multi_queue
ip link set t0 up
# interface rx|tx packets|bytes: of t0; sysfs may show another namespace's.
interface() {
	ip -j -s link show t0 | perl -MJSON::PP -e '
		local $/;
		print JSON::PP->new->decode(<STDIN>)->[0]{stats64}{$ARGV[0]}{$ARGV[1]};' "$1" "$2"
}
mkfifo "$T/frames"
"$tools/frames" t0 >"$T/frames" &
other=$!
exec 9<"$T/frames"
read -r -t "$LIMIT" line <&9
lodge --stats --stats=json:"$json" -n tap=t0,queues=3 "$guests/multiqueue.elf" pairs=3 do=count </dev/null
relay net "$T/out"
is "$status" 0 "net: exit status 0"
receives='net0 queue [024]' transmits='net0 queue [135]'
is "$(value "$transmits" chains)" "$(interface rx packets)" "net: chains sent, packets the interface got"
is "$(value "$receives" chains)" "$(interface tx packets)" "net: chains filled, packets the interface gave"
# Each with a header of 12 bytes, which the interface does not count.
is "$(($(value "$transmits" bytes) - 12 * $(value "$transmits" chains)))" "$(interface rx bytes)" "net: bytes sent"
is "$(($(value "$receives" bytes) - 12 * $(value "$receives" chains)))" "$(interface tx bytes)" "net: bytes received"
for pair in 0 1 2; do
	ok "net: pair $pair sent" [ "$(value "net0 queue $((2 * pair + 1))" chains)" -ge $((20 + pair)) ]
	ok "net: pair $pair received" [ "$(value "net0 queue $((2 * pair))" chains)" -ge $((20 + pair)) ]
done
is "$(value 'net0 queue 6' chains)" 1 "net: one command"
is "$(value 'net0 queue .*' dropped)" 0 "net: nothing dropped"
adds_up net

# The table says the same, without the zeroes.
is "$(sed -n 's/^lodge: stats: //p' "$T/err" | tr -s ' ')" "$(perl -MJSON::PP -e '
	local $/;
	my $text = <STDIN>;
	my $stats = JSON::PP->new->decode($text);
	for my $name ($text =~ /^  "([^"]+)": \{/mg) {
		my ($inner) = $text =~ /^  "\Q$name\E": \{(.*)\}/m;
		my @counted = grep { $stats->{$name}{$_} } $inner =~ /"(\w+)":/g;
		print join(" ", $name, map { ($_, $stats->{$name}{$_}) } @counted), "\n" if @counted;
	}' <"$json")" "the table is the file, without zeroes"
timeout "$LIMIT" cat <&9 >/dev/null || kill $other
exec 9<&-

# A packet the interface does not take is a drop, and says why.
ip link set t0 down
lodge --stats=json:"$json" -n tap=t0,queues=3 "$guests/multiqueue.elf" pairs=3 do=down </dev/null
is "$status" 0 "interface down: exit status 0"
ok "interface down: packets are dropped" [ "$(value 'net0 queue 1' dropped)" -gt 0 ]
is "$(value 'net0 queue 1' dropped_down)" "$(value 'net0 queue 1' dropped)" "interface down: for that reason"
adds_up "interface down"

# --- SIGUSR1: now, and the guest goes on ---
mkfifo "$T/keyboard"
exec 7<>"$T/keyboard"
rm -f "$T/err"
mkfifo "$T/err"
exec 6<>"$T/err"
# report: what SIGUSR1 makes it say, up to the line of the only vCPU.
report() {
	local line
	kill -USR1 $pid
	while IFS= read -r -t "$LIMIT" line <&6; do
		echo "$line"
		[[ $line != *" vcpu0 "* ]] || break
	done
}
start -d "$T/image" "$guests/stats.elf" wait <&7
first=$(report)
like "$first" "lodge: stats: block0 queue 0 .* chains 9 " "SIGUSR1: nine requests so far"
second=$(report)
like "$second" "lodge: stats: block0 queue 0 .* chains 9 " "SIGUSR1 again: still nine"
reads() { sed -n 's/.* vcpu0 .* port_reads \([0-9]*\).*/\1/p' <<<"$1"; }
# On a busy machine its turn may come later.
for ((end = SECONDS + LIMIT; SECONDS < end; )); do
	[ "$(reads "$second")" -le "$(reads "$first")" ] || break
	second=$(report)
done
ok "SIGUSR1: the guest ran on in between" [ "$(reads "$second")" -gt "$(reads "$first")" ]
printf x >&7
finish
relay SIGUSR1 "$T/out"
is "$status" 0 "SIGUSR1: exit status 0"
read -r -t 0 line <&6
is $? 1 "SIGUSR1: nothing at the end, which was not asked for"
exec 6<&- 7<&-
rm -f "$T/err"

# --- What was asked for does not change how it ends ---
lodge --stats --stats=json:"$json" -d "$T/image" "$guests/stats.elf" crash </dev/null
is "$status" 3 "a reset: exit status 3"
like "$(tail -1 "$T/err")" "^lodge: .*reset" "a reset: the last line says so"
is "$(value 'block0 queue 0' chains)" 46 "a reset: the file is written"
start --stats --stats=json:"$json" "$guests/ending.elf" end=wait </dev/null
kill $pid
finish
is "$status" 143 "SIGTERM: exit status 143"
like "$(tail -1 "$T/err")" "^lodge: .*SIGTERM" "SIGTERM: the last line says so"
ok "SIGTERM: the file is written" [ "$(value vcpu0 exits)" -gt 0 ]

# unwritable NAME FILE WANT ARGS...: exit status WANT, the reason in one line.
unwritable() {
	local name=$1 file=$2 want=$3
	shift 3
	lodge --stats=json:"$file" "$@" </dev/null
	is "$status" "$want" "$name: exit status $want"
	is "$(grep -c . "$T/err")" "$((want == 3 ? 2 : 1))" "$name: one line about it"
	like "$(head -1 "$T/err")" "^lodge: --stats: cannot write $file: [A-Za-z]" "$name: with the file and the reason"
}
mkdir "$T/folder"
unwritable "no such directory" "$T/none/file" 1 "$guests/ending.elf" end=poweroff
unwritable "a directory" "$T/folder" 1 "$guests/ending.elf" end=poweroff
unwritable "a full disk" /dev/full 1 "$guests/ending.elf" end=poweroff
unwritable "after a reset" /dev/full 3 "$guests/ending.elf" end=i8042

# What the file held stays until there are statistics, and a disk's image is none for them.
echo before >"$T/old"
lodge --stats=json:"$T/old" --user nemo "$guests/ending.elf" end=poweroff </dev/null
is "$status/$(<"$T/old")" 1/before "no guest: what the file held stays"
head -c 9000 /dev/zero >"$T/old"
lodge --stats=json:"$T/old" "$guests/ending.elf" end=poweroff </dev/null
is "$status" 0 "a longer file: exit status 0"
ok "a longer file: nothing of it is left" perl -e 'local $/; exit(<STDIN> !~ /^\{.*\}\n\z/s)' <"$T/old"
sum=$(cksum <"$T/image")
for disk in "$T/image" "$T/image,ro"; do
	lodge --stats=json:"$T/image" -d "$disk" "$guests/ending.elf" end=poweroff </dev/null
	is "$status" 1 "a disk of ours, $disk: exit status 1"
	is "$(<"$T/err")" "lodge: --stats: $T/image is in use, as disks are, and would be lost; name another file" \
		"a disk of ours, $disk: one line says why"
	is "$(cksum <"$T/image")" "$sum" "a disk of ours, $disk: which is as it was"
done
limited() { (ulimit -f 1 && lodge "$@" </dev/null; echo $status >"$T/status"); status=$(<"$T/status"); }
limited --sandbox=off --stats=json:"$T/old" "$guests/ending.elf" end=poweroff
is "$status" 1 "a limit of file sizes: exit status 1"
is "$(<"$T/err")" "lodge: --stats: cannot write $T/old: File too large" "a limit of file sizes: one line says so"
is "$(wc -c <"$T/old")" 0 "a limit of file sizes: and nothing is better than half of it"

# A pipe somebody reads gets them; one that nobody reads is told at once, not waited for.
mkfifo "$T/fifo"
unwritable "a pipe without a reader" "$T/fifo" 1 "$guests/ending.elf" end=poweroff
is "$(grep -c "a pipe that nobody reads" "$T/err")" 1 "a pipe without a reader: which is the reason"
cat "$T/fifo" >"$json" &
reader=$!
exec 9<>"$T/fifo"
lodge --stats=json:"$T/fifo" "$guests/ending.elf" end=poweroff </dev/null 9<&-
exec 9<&-
wait $reader
is "$status/$(<"$T/err")" 0/ "a pipe with a reader: exit status 0, nothing to say"
ok "a pipe with a reader: which gets them" [ "$(value vcpu0 exits)" -gt 0 ]

for value in foo json json: xml:file ''; do
	lodge "--stats=$value" "$guests/ending.elf" end=poweroff </dev/null
	is "$status" 2 "--stats=$value: exit status 2"
	like "$(<"$T/err")" "^lodge: --stats: '$value'" "--stats=$value: which is named"
	is "$(<"$T/out")" "" "--stats=$value: no guest"
done

# Without --stats there is nothing to say, however much there is to count.
many=()
for ((i = 0; i < 8; i++)); do many+=(-n "tap,queues=8"); done
lodge "${many[@]}" "$guests/ending.elf" end=poweroff </dev/null
is "$(<"$T/err")" "" "many queues: nothing on standard error"
lodge --stats=json:"$json" "${many[@]}" "$guests/ending.elf" end=poweroff </dev/null
is "$(perl -MJSON::PP -e 'local $/; print scalar grep { /^net/ } keys %{JSON::PP->new->decode(<STDIN>)}' <"$json")" $((8 * 17)) \
	"many queues: all of them in the file"
is "$(<"$T/err")" "" "many queues: and nothing on standard error"
plan
