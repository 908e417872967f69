/*
 * net-options.c: the option --net: a backend, and what else its card shall be.
 *
 * Main calls it before anything is open (device.h), and nothing is touched here but
 * the text, and the mark on a descriptor that was passed to us (net-tap.c): whether
 * it can be had is seen when the card is made (net.c).
 */
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "log.h"
#include "net.h"

#define BUSY_POLL_MAX 1000000

static bool parse_mac(const char *text, uint8_t mac[NET_MAC_LEN])
{
	struct ether_addr address;

	/* ether_aton_r() would take one digit for two: ask for the full form. */
	if (strlen(text) != 17 || !ether_aton_r(text, &address))
		return false;
	memcpy(mac, &address, NET_MAC_LEN);
	return true;
}

static bool is_of_a_card(const uint8_t mac[NET_MAC_LEN])
{
	static const uint8_t nobody[NET_MAC_LEN];

	/* The lowest bit of the first byte marks a group, which no card is. And with
	 * all bits clear Linux does not set the interface up. */
	return !(mac[0] & 1) && memcmp(mac, nobody, NET_MAC_LEN) != 0;
}

static int parse_count(const struct suboption *part, unsigned min, unsigned max, unsigned *count)
{
	char *end;
	unsigned long value = strtoul(part->value, &end, 10);

	/* strtoul() would take a sign or spaces: we do not. */
	if (*part->value < '0' || *part->value > '9' || *end || value < min || value > max) {
		log_error("--net: %s '%s' is not a number from %u to %u", part->key, part->value,
			  min, max);
		return -1;
	}
	*count = (unsigned)value;
	return 0;
}

static int parse_part(struct net_options *options, const struct suboption *part)
{
	if (part->value && strcmp(part->key, "mac") == 0) {
		if (!parse_mac(part->value, options->mac) || !is_of_a_card(options->mac)) {
			log_error("--net: mac '%s' is not the address of a card, like "
				  "02:00:00:00:00:01",
				  part->value);
			return -1;
		}
		options->has_mac = true;
		return 0;
	}
	if (part->value && strcmp(part->key, "queues") == 0)
		return parse_count(part, 1, NET_PAIRS_MAX, &options->queues);
	if (part->value && strcmp(part->key, "busy-poll") == 0)
		return parse_count(part, 0, BUSY_POLL_MAX, &options->busy_poll);
	log_error("--net: unknown part '%s'; takes " NET_SYNTAX, part->key);
	return -1;
}

/* The words that may come first, for those who came with another. */
static void refuse_backend(const char *word)
{
	char all[200] = "";

	for (unsigned i = 0; net_backends[i]; i++) {
		strcat(all, i == 0 ? "" : ", ");
		strcat(all, net_backends[i]->syntax);
	}
	log_error("--net: unknown network '%s'; takes one of %s", word, all);
}

static int parse_backend(struct net_options *options, const struct suboption *part)
{
	unsigned i = 0;

	while (net_backends[i] && strcmp(net_backends[i]->key, part->key) != 0)
		i++;
	if (!net_backends[i]) {
		refuse_backend(part->key);
		return -1;
	}
	options->backend = net_backends[i];
	options->value = part->value;
	return options->backend->accepts(part->value) ? 0 : -1;
}

void *net_parse(const char *text)
{
	struct net_options *options = device_allocate("--net", sizeof(*options) + strlen(text) + 1);
	struct suboption part;
	char *rest;
	int ret;

	if (!options)
		return NULL;
	options->queues = 1;
	rest = strcpy((char *)(options + 1), text);
	suboption_next(&rest, &part);
	ret = parse_backend(options, &part);
	while (ret == 0 && suboption_next(&rest, &part))
		ret = parse_part(options, &part);
	if (ret == 0 && !options->backend->multiqueue && options->queues > 1) {
		log_error("--net: queues %u: %s has only one", options->queues,
			  options->backend->syntax);
		ret = -1;
	}
	if (ret < 0) {
		free(options);
		return NULL;
	}
	return options;
}
