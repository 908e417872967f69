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
plan
