/*
 * ending.c: the first report of an ending wins, and what is said of it.
 *
 * A process ends once, so each case is a process of its own.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ending.h"
#include "lib/unit.h"
#include "log.h"

static const char *said;

/* Run `life` in a child that then ends as main does; returns its exit status. */
static int status_after(void (*life)(void))
{
	int status;
	pid_t child;

	capture_start(STDERR_FILENO);
	child = fork();
	if (child == 0) {
		if (ending_init() < 0)
			_exit(99);
		life();
		_exit(ending_announce());
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	said = capture_end();
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Has main been told? */
static bool told(void)
{
	struct pollfd fd = { .fd = ending_fd(), .events = POLLIN };

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

static void crash(void)
{
	if (told())
		_exit(98);
	ending_report(ENDING_CRASH, "the guest crashed: %s on vCPU %u", "triple fault", 7);
	if (!told())
		_exit(97);
}

static void one_report(void **state)
{
	(void)state;
	assert_int_equal(status_after(crash), 4);
	assert_string_equal(said, "lodge: the guest crashed: triple fault on vCPU 7\n");
}

static void reset_then_poweroff(void)
{
	ending_report(ENDING_RESET, "the guest reset itself");
	ending_report(ENDING_POWEROFF, "the guest powered off");
	ending_report(ENDING_SIGNAL + 15, "ended by signal 15");
}

static void the_first_wins(void **state)
{
	(void)state;
	assert_int_equal(status_after(reset_then_poweroff), 3);
	assert_string_equal(said, "lodge: the guest reset itself\n");
}

static void poweroff(void)
{
	ending_report(ENDING_POWEROFF, "the guest powered off");
}

static void poweroff_verbosely(void)
{
	log_set_verbose(true);
	poweroff();
}

static void poweroff_is_silent(void **state)
{
	(void)state;
	assert_int_equal(status_after(poweroff), 0);
	assert_silent(said);
	assert_int_equal(status_after(poweroff_verbosely), 0);
	assert_one_line_with(said, "powered off");
}

static void end_with_a_long_line(void)
{
	char line[5000];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ending_report(ENDING_HOST, "%s\n%s", "two\nlines", line);
}

static void a_long_line_stays_one(void **state)
{
	(void)state;
	assert_int_equal(status_after(end_with_a_long_line), 1);
	assert_one_line_with(said, "two?lines?xxx");
}

/* --- Many threads at once --- */

#define REPORTERS 8
static pthread_barrier_t barrier;

static void *report(void *arg)
{
	int code = 10 + (int)(intptr_t)arg;

	pthread_barrier_wait(&barrier);
	ending_report(code, "this is %d", code);
	return NULL;
}

static void many_at_once(void)
{
	pthread_t threads[REPORTERS];

	pthread_barrier_init(&barrier, NULL, REPORTERS);
	for (intptr_t i = 0; i < REPORTERS; i++)
		if (pthread_create(&threads[i], NULL, report, (void *)i))
			_exit(96);
	for (unsigned i = 0; i < REPORTERS; i++)
		pthread_join(threads[i], NULL);
}

static void one_of_many_wins(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		int status = status_after(many_at_once);
		char line[64];

		/* Code and line are of the same one. */
		assert_in_range(status, 10, 10 + REPORTERS - 1);
		snprintf(line, sizeof(line), "lodge: this is %d\n", status);
		assert_string_equal(said, line);
	}
}

static void every_code_has_its_meaning(void **state)
{
	static const char *const codes[] = { "0", "1", "2", "3", "4", "5", "6", "124", "128+N" };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(codes); i++) {
		assert_string_equal(ending_meanings[i].code, codes[i]);
		assert_true(strlen(ending_meanings[i].meaning) > 0);
	}
	assert_null(ending_meanings[COUNT_OF(codes)].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_report),         cmocka_unit_test(the_first_wins),
		cmocka_unit_test(poweroff_is_silent), cmocka_unit_test(a_long_line_stays_one),
		cmocka_unit_test(one_of_many_wins),   cmocka_unit_test(every_code_has_its_meaning),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
