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
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "privileges.h"

#define NAME_SIZE 256

int privileges_gain_none(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return 0;
	log_error("cannot give up gaining privileges (no_new_privs): %m");
	return -1;
}

/* Who is meant: a name, and a group, which without a name of its own is the user's first. */
static int find(const char *user, uid_t *uid, gid_t *gid)
{
	const char *colon = strchrnul(user, ':');
	char name[NAME_SIZE] = "";
	const struct passwd *passwd;
	const struct group *group;

	if ((size_t)(colon - user) < sizeof(name))
		memcpy(name, user, (size_t)(colon - user));
	passwd = getpwnam(name);
	if (!passwd) {
		log_error("--user: there is no user '%s'", name);
		return -1;
	}
	*uid = passwd->pw_uid;
	*gid = passwd->pw_gid;
	if (*colon == '\0')
		return 0;
	group = getgrnam(colon + 1);
	if (!group) {
		log_error("--user: there is no group '%s'", colon + 1);
		return -1;
	}
	*gid = group->gr_gid;
	return 0;
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
