#!/bin/bash
# ledger.t: nothing acknowledged is lost. A guest writes numbered blocks, and
# tells each number once its disk has said that the block is safe (guests/ledger.c);
# lodge is killed after a number of lines chosen anew each time, from SEED
# (printed). Every number that was told is in the image. ROUNDS says how often.
. "$(dirname "$0")/faults.sh"

RANDOM=${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
rounds=${ROUNDS:-50}
echo "# SEED=$SEED ROUNDS=$rounds"

# Which of the numbers 1 to $1 are not in the image, block by block.
missing() {
	perl -e '
		open(my $image, "<", $ARGV[0]) or die;
		for my $number (1 .. $ARGV[1]) {
			seek($image, $number * 4096, 0);
			read($image, my $block, 4096);
			print "$number\n" if $block ne pack("Q", $number) x 512;
		}' "$T/image" "$1"
}

# round NAME TRANSPORT OPTIONS WORDS...
round() {
	local name=$1 transport=$2 options=$3 after=$((1 + RANDOM % 200)) line told
	shift 3
	rm -f "$T/image" "$T/pipe"
	truncate -s 4M "$T/image"
	mkfifo "$T/pipe"
	"$LODGE" --transport $transport -d "$T/image$options" "$guests/ledger.elf" "$@" </dev/null >"$T/pipe" 2>"$T/err" &
	pid=$!
	exec 8<"$T/pipe"
	for ((told = 0; told < after; told++)); do
		IFS= read -r -t "$LIMIT" line <&8 || break
	done
	kill -KILL $pid
	# What it said while the signal was on its way it has said.
	told=$(($(timeout "$LIMIT" cat <&8 | tee "$T/rest" | grep -c '^[0-9]*.$') + told))
	exec 8<&-
	wait $pid 2>/dev/null
	[ $told -ge $after ] || echo "# ended early: $(<"$T/err")"
	is "$([ $told -ge $after ] && missing $told)" "" "$name, killed after $after of $told: every block that was told is there"
	total=$((total + told))
}
total=0
for ((i = 0; i < rounds; i++)); do
	case $((i % 6)) in
	0) round "flush" pci "" ;;
	1) round "flush, eight at once" pci "" depth=8 ;;
	2) round "no flush" pci "" noflush ;;
	3) round "no flush, eight at once" mmio "" noflush depth=8 ;;
	4) round "direct, eight at once" pci ",direct" depth=8 ;;
	5) round "32 at once" mmio "" depth=32 ;;
	esac
done
ok "$total blocks were told in all" [ $total -ge $rounds ]
plan
