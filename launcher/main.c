/*
 * main.c: the whole story in one page (tour 1).
 *
 * Build the guest from the outside in (memory, machine, devices, kernel,
 * processors), let it run, wait for its ending, and take everything down in
 * the reverse order. Between start and end the main thread owns the signals,
 * the UART's stream, and nothing else.
 *
 * Next in the tour: vm.c, the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "board.h"
#include "boot.h"
#include "ending.h"
#include "errand.h"
#include "layout.h"
#include "log.h"
#include "options.h"
#include "pci.h"
#include "privileges.h"
#include "sandbox.h"
#include "stats.h"
#include "terminal.h"
#include "transport.h"
#include "uart.h"
#include "vcpu.h"

/* Everything there is, in the order in which it comes into being. */
struct lodge {
	struct options options;
	struct memory memory;
	struct vm vm;
	struct machine machine;

	struct loop loop; /* the main thread's */
	int signal_fd;
	struct loop_watch signal_watch, ending_watch;
	struct stream terminal;
	struct uart uart;

	struct pci_root pci;
	struct device {
		struct virtio_device *virtio;
		struct virtio_pci *on_pci; /* one of these two */
		struct virtio_mmio *on_mmio;
	} devices[OPTIONS_DEVICES_MAX];
	unsigned device_count;
	struct virtio_device *console;

	struct vcpu vcpus[VCPU_MAX];
	unsigned vcpu_count;

	FILE *stats; /* NULL: not asked for */
	struct sandbox sandbox;
	pthread_barrier_t gate; /* the vCPUs and main: all are in the sandbox */
};

/* --- Signals and the ending: the main thread's loop --- */

/* Those that would end a process, and that a guest's owner may send. */
static const int ending_signals[] = { SIGHUP,  SIGINT,    SIGQUIT, SIGTERM, SIGUSR2,
				      SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU };

static sigset_t received_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++)
		sigaddset(&set, ending_signals[i]);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGUSR1);
	return set;
}

static void on_signal(void *context)
{
	struct lodge *lodge = context;
	struct signalfd_siginfo info;

	while (read(lodge->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo;

		if (signal == SIGWINCH)
			console_resize(lodge->console);
		else if (signal == SIGUSR1)
			stats_print();
		else if (signal == SIGCONT) /* the shell had its terminal back meanwhile */
			terminal_enter_raw();
		else
			ending_report(ENDING_SIGNAL + signal, "ended by signal %d (SIG%s)", signal,
				      sigabbrev_np(signal));
	}
}

static void on_ending(void *context)
{
	struct lodge *lodge = context;

	loop_quit(&lodge->loop);
}

static int set_up_loop(struct lodge *lodge)
{
	sigset_t signals = received_signals();
	int ret = loop_init(&lodge->loop, NULL, NULL);

	if (ret == 0)
		ret = ending_init();
	if (ret < 0) {
		log_error("cannot set up the main loop: %s", strerror(-ret));
		return -1;
	}
	/* Blocked before any other thread exists, so in all of them: signals
	 * reach this loop and nobody else. Writing to a closed pipe is an error
	 * like any other, not a signal. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	vcpu_init_signals();
	lodge->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (lodge->signal_fd < 0) {
		log_error("cannot receive signals: %m");
		return -1;
	}
	loop_watch(&lodge->loop, &lodge->signal_watch, lodge->signal_fd, POLLIN, on_signal, lodge);
	loop_watch(&lodge->loop, &lodge->ending_watch, ending_fd(), POLLIN, on_ending, lodge);
	return 0;
}

/* --- Building --- */

static int set_up_memory(struct lodge *lodge)
{
	int ret;

	memory_warn_of_limit(lodge->options.memory);
	ret = memory_create(&lodge->memory, lodge->options.memory, LAYOUT_LOW_RAM_MAX);
	if (ret == 0 && !lodge->options.dump_memory)
		ret = memory_hide(&lodge->memory);
	if (ret < 0)
		log_error("cannot have %llu MiB of guest memory: %s",
			  (unsigned long long)(lodge->options.memory >> 20), strerror(-ret));
	return ret < 0 ? -1 : 0;
}

static int set_up_platform(struct lodge *lodge)
{
	const struct boot_options *boot = &lodge->options.boot;
	bool serial = !boot->virtio_console;
	int ret = stream_init(&lodge->terminal, STDIN_FILENO, STDOUT_FILENO);

	lodge->vm.panics_are_warm = !cmdline_names_key(boot->words, boot->word_count, "reboot");
	pci_root_init(&lodge->pci, &lodge->vm);
	if (ret == 0)
		ret = board_init(&lodge->vm, &lodge->pci, &lodge->uart,
				 serial ? &lodge->terminal : NULL);
	if (ret < 0) {
		log_error("cannot set up the console: %s", strerror(-ret));
		return -1;
	}
	if (serial)
		stream_start(&lodge->terminal, &lodge->loop, uart_take_input, &lodge->uart);
	return 0;
}

/* The machine, and the vCPUs in it, which do nothing yet. */
static int set_up_machine(struct lodge *lodge)
{
	const struct options *options = &lodge->options;

	if (vm_create(&lodge->vm, &lodge->memory, options->cpus,
		      options->transport == TRANSPORT_MMIO_CMDLINE) < 0)
		return -1;
	while (lodge->vcpu_count < options->cpus) {
		unsigned index = lodge->vcpu_count++;

		if (vcpu_create(&lodge->vcpus[index], &lodge->vm, index) < 0)
			return -1;
	}
	return vm_arch_init_irqs(&lodge->vm);
}

/* Messages are how virtio-pci interrupts: without, what the guest finds is virtio-mmio. */
static int choose_transport(struct options *options, const struct vm *vm)
{
	if (vm->msi || options->transport != TRANSPORT_PCI)
		return 0;
	if (options->transport_given) {
		log_error("--transport: pci needs an interrupt controller that takes messages, "
			  "which this host has not; use --transport mmio");
		return -1;
	}
	options->transport = TRANSPORT_MMIO;
	return 0;
}

static int attach_device(struct lodge *lodge, struct device *device)
{
	if (lodge->options.transport == TRANSPORT_PCI)
		device->on_pci = virtio_pci_attach(device->virtio, &lodge->vm, &lodge->pci);
	else
		device->on_mmio =
			virtio_mmio_attach(device->virtio, &lodge->vm, lodge->device_count - 1);
	return device->on_pci || device->on_mmio ? 0 : -1;
}

static int set_up_devices(struct lodge *lodge)
{
	for (unsigned i = 0; i < lodge->options.device_count; i++) {
		const struct device_request *request = &lodge->options.devices[i];
		struct device *device = &lodge->devices[i];
		bool wired = request->type == &console_device && lodge->options.boot.virtio_console;

		device->virtio =
			request->type->create(request->index, request->options, &lodge->memory,
					      wired ? &lodge->terminal : NULL);
		if (!device->virtio)
			return -1;
		lodge->device_count++;
		if (attach_device(lodge, device) < 0)
			return -1;
		if (request->type == &console_device)
			lodge->console = device->virtio;
	}
	return 0;
}

static int set_up_guest(struct lodge *lodge)
{
	struct vcpu_entry entry;

	lodge->machine = (struct machine){
		.memory = &lodge->memory,
		.transport = lodge->options.transport,
		.cpus = lodge->options.cpus,
		.devices = lodge->device_count,
		.msi = lodge->vm.msi,
		.pmu = lodge->vm.pmu,
	};
	if (boot_prepare(&lodge->machine, &lodge->options.boot, &entry) < 0)
		return -1;
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		if (vcpu_init(&lodge->vcpus[i], &entry) < 0)
			return -1;
	return 0;
}

static int open_stats(struct lodge *lodge)
{
	if (!lodge->options.stats_file)
		return 0;
	lodge->stats = stats_open_json(lodge->options.stats_file);
	return lodge->stats ? 0 : -1;
}

/* --- Closing the doors: everything is open now that will ever be --- */

static int close_doors(struct lodge *lodge)
{
	int ret = 0;

	if (sandbox_prepare(&lodge->sandbox) < 0)
		return -1;
	if (lodge->options.user && privileges_drop(lodge->options.user) < 0)
		return -1;
	for (unsigned i = 0; i < lodge->device_count && ret == 0; i++)
		ret = virtio_enter_sandbox(lodge->devices[i].virtio, &lodge->sandbox);
	if (ret < 0)
		log_error("a device cannot enter the sandbox: %s", strerror(-ret));
	return ret;
}

/* All threads wait at the gate until each is in the sandbox, main the last. */
static int start_vcpus(struct lodge *lodge)
{
	int ret;

	pthread_barrier_init(&lodge->gate, NULL, lodge->vcpu_count + 1);
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		if (vcpu_start(&lodge->vcpus[i], &lodge->sandbox, &lodge->gate) < 0)
			return -1;
	ret = sandbox_enter(&lodge->sandbox, SANDBOX_MAIN);
	if (ret < 0)
		ending_report(ENDING_HOST, "main cannot enter the sandbox: %s", strerror(-ret));
	pthread_barrier_wait(&lodge->gate);
	return 0;
}

/* --- Taking down --- */

/* The guest is over. From here on a second signal ends us at once, as it would anybody. */
static void accept_signals(void)
{
	sigset_t signals = received_signals();

	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

static void tear_down(struct lodge *lodge)
{
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		vcpu_stop(&lodge->vcpus[i]);
	for (unsigned i = 0; i < lodge->device_count; i++)
		virtio_destroy(lodge->devices[i].virtio);
	for (unsigned i = 0; i < lodge->device_count; i++) {
		if (lodge->devices[i].on_pci)
			virtio_pci_detach(lodge->devices[i].on_pci);
		if (lodge->devices[i].on_mmio)
			virtio_mmio_detach(lodge->devices[i].on_mmio);
	}
	if (lodge->terminal.loop == &lodge->loop)
		stream_stop(&lodge->terminal);
	uart_destroy(&lodge->uart);
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		vcpu_destroy(&lodge->vcpus[i]);
	loop_exit(&lodge->loop);
	vm_destroy(&lodge->vm);
	memory_free(&lodge->memory);
	sandbox_free(&lodge->sandbox);
	for (unsigned i = 0; i < lodge->device_count; i++)
		free(lodge->devices[i].virtio);
}

static int set_up(struct lodge *lodge)
{
	return set_up_memory(lodge) < 0 || set_up_machine(lodge) < 0 ||
			       choose_transport(&lodge->options, &lodge->vm) < 0 ||
			       set_up_loop(lodge) < 0 || set_up_platform(lodge) < 0 ||
			       set_up_devices(lodge) < 0 || set_up_guest(lodge) < 0 ||
			       open_stats(lodge) < 0 || close_doors(lodge) < 0
		       ? -1
		       : 0;
}

static int run(struct lodge *lodge)
{
	bool written;
	int status;

	if (privileges_gain_none() < 0)
		return ENDING_HOST;
	sandbox_begin(&lodge->sandbox, lodge->options.sandbox);
	if (set_up(lodge) < 0) {
		/* The process ends, which frees what it had: taking down half a
		 * machine in order would be code that nobody ever runs. Only
		 * those who are out on an errand must be back. */
		errand_finish_all();
		return ENDING_HOST;
	}

	terminal_enter_raw();
	if (start_vcpus(lodge) < 0) {
		terminal_restore();
		return ENDING_HOST;
	}
	loop_run(&lodge->loop);

	tear_down(lodge);
	terminal_restore();
	accept_signals();
	stream_finish(&lodge->terminal);
	if (lodge->options.stats)
		stats_print();
	written = !lodge->stats || stats_write_json(lodge->stats, lodge->options.stats_file) == 0;
	status = ending_announce();
	return status == ENDING_POWEROFF && !written ? ENDING_HOST : status;
}

/* Files opened from here on must not be taken for standard input, output or error. */
static void ensure_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct lodge lodge;
	int status = ENDING_USAGE;

	ensure_standard_files();
	switch (options_parse(&lodge.options, argc, argv)) {
	case OPTIONS_RUN:
		log_set_verbose(lodge.options.verbose);
		status = run(&lodge);
		break;
	case OPTIONS_DONE:
		status = fflush(stdout) == 0 ? 0 : ENDING_HOST;
		break;
	case OPTIONS_BAD:
		break;
	}
	options_free(&lodge.options);
	return status;
}
