/*
 * privileges.c: root to begin with, if need be, and nobody afterwards.
 *
 * A tap, an image or /dev/kvm may take root to open; running a guest takes
 * nothing. So with --user main becomes somebody else as soon as everything is
 * open, before the sandbox closes.
 *
 * Sources: credentials(7), capabilities(7): a process whose user ids all
 * change from 0 to something else loses every capability.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "privileges.h"

#define ID_NONE UINT32_MAX

int privileges_gain_none(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return 0;
	log_error("cannot give up gaining privileges (no_new_privs): %m");
	return -1;
}

/* An id by its number, where there is no such name: as chown(1) has it. */
static bool parse_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	/* The last number is none: to setresuid(2) it means no change. */
	if (*text < '0' || *text > '9' || *end || number >= ID_NONE)
		return false;
	*id = (uint32_t)number;
	return true;
}

static int find_user(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *passwd = getpwnam(name);

	*uid = ID_NONE;
	if (!passwd && parse_id(name, uid))
		passwd = getpwuid(*uid);
	if (passwd)
		*uid = passwd->pw_uid;
	*gid = passwd ? passwd->pw_gid : ID_NONE;
	if (*uid != ID_NONE)
		return 0;
	log_error("--user: there is no user '%s'", name);
	return -1;
}

static int find_group(const char *name, gid_t *gid)
{
	const struct group *group = getgrnam(name);

	if (group)
		*gid = group->gr_gid;
	if (group || parse_id(name, gid))
		return 0;
	log_error("--user: there is no group '%s'", name);
	return -1;
}

/* Who is meant: a user, and a group, which without a name of its own is the user's first. */
static int find(const char *user, uid_t *uid, gid_t *gid)
{
	const char *colon = strchrnul(user, ':');
	char *name = strndup(user, (size_t)(colon - user));
	int ret;

	if (!name) {
		log_error("--user: %m");
		return -1;
	}
	ret = find_user(name, uid, gid);
	free(name);
	if (ret == 0 && *colon)
		ret = find_group(colon + 1, gid);
	if (ret == 0 && *gid == ID_NONE) {
		log_error("--user: '%s' is in no group here; name one: %s:GROUP", user, user);
		return -1;
	}
	return ret;
}

int privileges_drop(const char *user)
{
	uid_t uid;
	gid_t gid;

	if (find(user, &uid, &gid) < 0)
		return -1;
	if (uid == 0) {
		log_error("--user: '%s' is root, which gives up nothing", user);
		return -1;
	}
	if (geteuid() != 0) {
		log_error("--user: only root can become '%s'; leave the option out", user);
		return -1;
	}
	/* The C library does this for every thread there is. */
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		log_error("--user: cannot become '%s': %m", user);
		return -1;
	}
	/* Where capabilities outlive that (securebits), one could come back. */
	if (setresuid(0, 0, 0) == 0) {
		log_error("--user: capabilities outlive the change to '%s'; see securebits in "
			  "capabilities(7)",
			  user);
		return -1;
	}
	return 0;
}
