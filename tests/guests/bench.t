#!/bin/bash
# bench.t: the bench of small packets still runs, and what it counts adds up:
# frames by the guest, by the tap, by lodge. A few frames only: no speed is
# looked at.
. "$(dirname "$0")/suite.sh"

json=$T/figures.json

# value MEASURE KEY FIELD: of one row.
value() {
	perl -MJSON::PP -e '
		my ($file, $measure, $key, $field) = @ARGV;
		open(my $in, "<", $file) or die; local $/;
		my $rows = JSON::PP->new->decode(<$in>)->{measures}{$measure}{rows};
		print map { $_->{$field} } grep { $_->{key} eq $key } @$rows;' "$json" "$@"
}

"$top/tests/bench/network-native" --rounds 1 --share 1 --who "lodge|qemu" --json "$json" >"$T/out" 2>"$T/err"
is "$?" 0 "the bench runs, and counts agree"
is "$(<"$T/err")" "" "it has nothing to complain of"
for measure in transmit receive receive-irq receive-live receive-live-irq echo echo-irq; do
	for machine in lodge qemu; do
		like "$(value $measure $machine rate)" '^[1-9]' "$measure: $machine has a rate"
	done
	like "$(value $measure lodge x_qemu)" '^[0-9]' "$measure: they are compared"
done
is "$(grep -cE "^(lodge  |qemu, virtio)" "$T/out")" 14 "the tables have a line for each"
like "$(value transmit uring-64 rate)" '^[1-9]' "transmit: the ceiling has a rate"
like "$(value receive read rate)" '^[1-9]' "receive: the ceiling has a rate"
plan
