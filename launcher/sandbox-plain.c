/*
 * sandbox-plain.c: what the usual build adds to every thread's allow-list:
 * nothing. A sanitized build has sandbox-sanitized.c in its place.
 */
#include "sandbox.h"

const struct sandbox_rule sandbox_build_rules[] = { SANDBOX_END };
