#!/bin/bash
# net-refused.t: what --net refuses, each with one line that says what is wrong and
# the status that says whose fault it is. In a network namespace of its own.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

# --- Names that no interface can have ---

for word in tap vhost packet; do
	for name in a/b 'a b' a:0 . .. sixteen-letters-; do
		refused_net 2 "^lodge: --net: '$name' is not an interface name" "$word=$name" "$word=$name"
	done
done

# --- Addresses that no card can have ---

for mac in 00:00:00:00:00:00 01:00:5e:00:00:01; do
	refused_net 2 "^lodge: --net: mac '$mac' is not the address of a card" "mac=$mac" "tap,mac=$mac"
done

# --- Interfaces that are no tap ---

ip link set lo up
ip link add bridge type bridge
ip tuntap add tun mode tun
for name in lo bridge tun; do
	refused_net 1 "^lodge: --net: tap $name: .*not a tap" "tap=$name" "tap=$name"
	refused_net 1 "not a tap" "tap=$name, two queues" "tap=$name,queues=2"
done
# Names with a meaning in /proc/sys/net, which Linux gives to none.
for name in all default; do
	refused_net 1 "^lodge: --net: tap $name: .*no interface of this name" "tap=$name" "tap=$name"
done
is "$(ip -o link show type tun | wc -l)" 1 "none of them has made a tap"

# --- Descriptors with which no card can work ---

# attach FLAGS: descriptor 5, /dev/net/tun already, becomes a tap; 0x400454ca is TUNSETIFF.
attach() {
	perl -e 'open(my $tap, "<&=", 5) or die "$!\n";
		ioctl($tap, 0x400454ca, pack("a16 S x22", "passed", $ARGV[0])) or die "TUNSETIFF: $!\n";' $(($1))
}
tun=0x0001 tap=0x0002 no_pi=0x1000 vnet_hdr=0x4000

exec 5<>/dev/net/tun
attach "tap | vnet_hdr"
refused_net 1 "^lodge: --net: fd 5: .*without IFF_NO_PI" "fd=N of a tap with 4 more bytes" fd=5
exec 5<>/dev/net/tun
attach "tap | no_pi"
refused_net 1 "^lodge: --net: fd 5: .*without IFF_VNET_HDR" "fd=N of a tap without headers" fd=5
exec 5<>/dev/net/tun
attach "tun | no_pi | vnet_hdr"
refused_net 1 "^lodge: --net: fd 5: .*without IFF_TAP" "fd=N of a tun" fd=5
exec 5<>/dev/net/tun
refused_net 1 "^lodge: --net: fd 5: .*not a tap" "fd=N of no interface yet" fd=5
exec 5</dev/net/tun
attach "tap | no_pi | vnet_hdr"
refused_net 1 "^lodge: --net: fd 5: .*reading and writing" "fd=N to be read only" fd=5
exec 5>/dev/net/tun
attach "tap | no_pi | vnet_hdr"
refused_net 1 "^lodge: --net: fd 5: .*reading and writing" "fd=N to be written only" fd=5

exec 5<>/dev/net/tun
attach "tap | no_pi | vnet_hdr"
lodge -n fd=5 "$guests/ending.elf" end=poweroff </dev/null
is "$status $(<"$T/err")" "0 " "fd=N of a tap as it should be is taken"
refused_net 2 "^lodge: --net: fd 5: .*twice" "fd=N twice" fd=5 -n fd=5
exec 5>&-
refused_net 2 "^lodge: --net: fd 5: .*nobody passed it" "fd=N of nothing" fd=5

# The number that the tap of the first card gets is known only once it runs.
start -n tap "$guests/ending.elf" end=wait </dev/null
own=$(find /proc/$pid/fd -lname '*/net/tun' -printf '%f\n')
kill $pid
finish
like "$own" '^[0-9]+$' "lodge has a descriptor of its own for its tap"
refused_net 2 "^lodge: --net: fd $own: .*nobody passed it" "fd=N of lodge's own" tap -n "fd=$own"
plan
