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
#include "process.h"
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
		else if (signal == SIGCONT) /* the shell had its terminal back, or still has */
			terminal_enter();
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
	int ret = loop_init(&lodge->loop, NULL, NULL);

	if (ret == 0)
		ret = ending_init();
	if (ret == 0)
		ret = lodge->signal_fd = process_receive_signals();
	if (ret < 0) {
		log_error("cannot set up the main loop: %s", strerror(-ret));
		return -1;
	}
	vcpu_init_signals();
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

static int create_machine(struct lodge *lodge)
{
	return vm_create(&lodge->vm, &lodge->memory, lodge->options.cpus);
}

static int set_up_platform(struct lodge *lodge)
{
	const struct boot_options *boot = &lodge->options.boot;
	bool serial = !boot->virtio_console;
	int ret;

	lodge->vm.panics_are_warm = !cmdline_names_key(boot->words, boot->word_count, "reboot");
	pci_root_init(&lodge->pci, &lodge->vm);
	ret = board_init(&lodge->vm, &lodge->pci, &lodge->uart, serial ? &lodge->terminal : NULL);
	if (ret < 0) {
		log_error("cannot set up the serial console: %s", strerror(-ret));
		return -1;
	}
	if (serial)
		stream_start(&lodge->terminal, &lodge->loop, uart_take_input, &lodge->uart);
	return 0;
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

/* The rest of the machine, and the vCPUs in it, which do nothing yet. */
static int set_up_machine(struct lodge *lodge)
{
	const struct options *options = &lodge->options;

	if (vm_arch_equip(&lodge->vm, options->transport == TRANSPORT_MMIO_CMDLINE) < 0)
		return -1;
	while (lodge->vcpu_count < options->cpus) {
		unsigned index = lodge->vcpu_count++;

		if (vcpu_create(&lodge->vcpus[index], &lodge->vm, index) < 0)
			return -1;
	}
	if (vm_arch_init_irqs(&lodge->vm) < 0)
		return -1;
	return choose_transport(&lodge->options, &lodge->vm);
}

/* The devices and their threads, which need the guest's memory, but no machine yet. */
static int set_up_devices(struct lodge *lodge)
{
	int ret = stream_init(&lodge->terminal, STDIN_FILENO, STDOUT_FILENO);

	if (ret < 0) {
		log_error("cannot set up the console: %s", strerror(-ret));
		return -1;
	}
	for (unsigned i = 0; i < lodge->options.device_count; i++) {
		const struct device_request *request = &lodge->options.devices[i];
		bool wired = request->type == &console_device && lodge->options.boot.virtio_console;

		lodge->devices[i].virtio =
			request->type->create(request->index, request->options, &lodge->memory,
					      wired ? &lodge->terminal : NULL);
		if (!lodge->devices[i].virtio)
			return -1;
		lodge->device_count++;
		if (request->type == &console_device)
			lodge->console = lodge->devices[i].virtio;
	}
	return 0;
}

static int attach_device(struct lodge *lodge, unsigned index)
{
	struct device *device = &lodge->devices[index];

	if (lodge->options.transport == TRANSPORT_PCI)
		device->on_pci = virtio_pci_attach(device->virtio, &lodge->vm, &lodge->pci);
	else
		device->on_mmio = virtio_mmio_attach(device->virtio, &lodge->vm, index);
	return device->on_pci || device->on_mmio ? 0 : -1;
}

static int attach_devices(struct lodge *lodge)
{
	for (unsigned i = 0; i < lodge->device_count; i++)
		if (attach_device(lodge, i) < 0)
			return -1;
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
	if (sandbox_prepare(&lodge->sandbox) < 0)
		return -1;
	if (lodge->options.user && privileges_drop(lodge->options.user) < 0)
		return -1;
	for (unsigned i = 0; i < lodge->device_count; i++)
		virtio_begin_sandbox(lodge->devices[i].virtio, &lodge->sandbox);
	return 0;
}

/* The devices' threads are on their way in; when main is in too, wait for them. */
static void enter_sandbox(struct lodge *lodge)
{
	int ret = sandbox_enter(&lodge->sandbox, SANDBOX_MAIN);

	if (ret < 0)
		ending_report(ENDING_HOST, "main cannot enter the sandbox: %s", strerror(-ret));
	for (unsigned i = 0; i < lodge->device_count; i++) {
		ret = virtio_end_sandbox(lodge->devices[i].virtio);
		if (ret < 0)
			ending_report(ENDING_HOST, "%s cannot enter the sandbox: %s",
				      lodge->devices[i].virtio->name, strerror(-ret));
	}
}

/* All vCPUs wait at the gate until each thread is in the sandbox. */
static int start_vcpus(struct lodge *lodge)
{
	pthread_barrier_init(&lodge->gate, NULL, lodge->vcpu_count + 1);
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		if (vcpu_start(&lodge->vcpus[i], &lodge->sandbox, &lodge->gate) < 0)
			return -1;
	enter_sandbox(lodge);
	pthread_barrier_wait(&lodge->gate);
	return 0;
}

/* --- Taking down --- */

static void tear_down(struct lodge *lodge)
{
	/* First, for what a signal is about may be gone next. */
	loop_unwatch(&lodge->signal_watch);
	/* All are told before one is waited for: it may itself wait for a device that
	 * another keeps busy. */
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		vcpu_stop_begin(&lodge->vcpus[i]);
	for (unsigned i = 0; i < lodge->vcpu_count; i++)
		vcpu_stop_end(&lodge->vcpus[i]);
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
	static int (*const steps[])(struct lodge * lodge) = {
		set_up_memory,   create_machine, set_up_loop,  set_up_devices, set_up_machine,
		set_up_platform, attach_devices, set_up_guest, open_stats,     close_doors,
	};

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i](lodge) < 0)
			return -1;
	return 0;
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

	terminal_enter();
	if (start_vcpus(lodge) < 0) {
		terminal_restore();
		return ENDING_HOST;
	}
	loop_run(&lodge->loop);

	tear_down(lodge);
	terminal_restore();
	process_accept_signals(lodge->signal_fd);
	stream_finish(&lodge->terminal);
	if (lodge->options.stats)
		stats_print();
	written = !lodge->stats || stats_write_json(lodge->stats, lodge->options.stats_file) == 0;
	status = ending_announce();
	return status == ENDING_POWEROFF && !written ? ENDING_HOST : status;
}

int main(int argc, char **argv)
{
	static struct lodge lodge;
	int status = ENDING_USAGE;

	process_prepare();
	switch (options_parse(&lodge.options, argc, argv)) {
	case OPTIONS_RUN:
		log_set_verbose(lodge.options.verbose);
		status = run(&lodge);
		break;
	case OPTIONS_DONE:
		status = process_has_printed() ? 0 : ENDING_HOST;
		break;
	case OPTIONS_BAD:
		break;
	}
	options_free(&lodge.options);
	return status;
}
