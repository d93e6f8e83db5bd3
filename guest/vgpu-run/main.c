/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpu-run: runs a job on the host's GPU and prints its answer */

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/bar.h"
#include "guest/libvgpu/device.h"
#include "guest/libvgpu/irq.h"
#include "guest/libvgpu/submit.h"
#include "guest/tool/exit_code.h"
#include "guest/tool/gone.h"
#include "guest/vgpu-run/job.h"
#include "guest/vgpu-run/kernel.h"
#include "guest/vgpu-run/options.h"
#include "guest/vgpu-run/report.h"
#include "guest/vgpu-run/run.h"

static atomic_int stop_signal;

static void on_stop(int signal_number)
{
	stop_signal = signal_number;
}

/* Without SA_RESTART, so that a sleep ends too. */
static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* Ends the process by the signal itself, so that a shell sees the signal. */
static void end_by_signal(void)
{
	signal(stop_signal, SIG_DFL);
	raise(stop_signal);
}

static void prepare(struct job *job, const struct options *options)
{
	char why[JOB_WHY_LEN];
	int err;

	if (options->raw)
		err = job_load_raw(job, options->raw, why);
	else
		err = job_build(job, options->opcode, options->operands, options->operand_count,
				options->crc, why);
	if (err < 0)
		options_refuse("%s", why);
}

/* Return: whether to use files: this machine has no device, or its link is down. */
static bool device_is_missing(struct run *run, const struct options *options)
{
	struct vgpu_device device;
	bool missing;

	/* DEVICE_READ takes no lock: a device that another process uses counts, too. */
	if (device_open(&device, &options->where, DEVICE_READ, &run->fail) < 0) {
		missing = run->fail.kind == FAIL_NO_DEVICE;
		run->fail.kind = FAIL_NONE;
		return missing;
	}
	missing = !(bar_read(&device.bar, VGPU_REG_CAPABILITIES) & VGPU_CAP_LINK_UP);
	device_close(&device);
	return missing;
}

/* Sends the job by files if that is the way. Return: whether it did. */
static bool use_files(struct run *run, const struct job *job, struct options *options)
{
	if (options->transport == TRANSPORT_AUTO && device_is_missing(run, options)) {
		options_check_file(options);
		options->transport = TRANSPORT_FILE;
	}
	if (options->transport != TRANSPORT_FILE)
		return false;
	options->file.stop = &stop_signal;
	options->file.timeout_ns = options->timeout_ns ? options->timeout_ns
						       : FILE_TRANSPORT_TIMEOUT_NS;
	file_transport_run(run, &options->file, job, options->count);
	return true;
}

/* Return: 0 once the device was used; or -errno with run->fail when it could not be. */
static int use_device(struct run *run, struct vgpu_device *device, const struct job *job,
		      const struct options *options)
{
	struct wait wait = { .mode = options->wait,
			     .timeout_ns = options->timeout_ns,
			     .stop = &stop_signal };
	struct irq irq;
	int err = device_open(device, &options->where, DEVICE_SUBMIT, &run->fail);

	if (err < 0)
		return err;
	if (device->decoding_enabled && options->verbose)
		fprintf(stderr, "%s: memory decoding was off and is on now\n", device->name);
	if (options->wait == WAIT_IRQ) {
		err = irq_open(&irq, device, &run->fail);
		if (err < 0) {
			device_close(device);
			return err;
		}
		wait.irq = &irq;
	}
	run_job(run, device, job, options->count, &wait);
	submit_end(device);
	if (wait.irq)
		irq_close(&irq);
	device_close(device);
	return 0;
}

int main(int argc, char **argv)
{
	static struct job job;
	struct vgpu_device device;
	struct options options;
	enum exit_code code;
	struct run run;
	int err = -ENODEV; /* no device was used */

	if (kernel_is_wanted(argc, argv))
		return (int)kernel_run(argc, argv);
	options_parse(&options, argc, argv);
	options.where.stop = &stop_signal;
	prepare(&job, &options);
	if (run_init(&run, options.count) < 0)
		options_refuse("--count %u: not enough memory for as many", options.count);
	catch_signals();
	gone_catch("vgpu-run");
	if (!use_files(&run, &job, &options))
		err = use_device(&run, &device, &job, &options);
	if (options.json)
		report_json(&run, &job, &options, err < 0 ? NULL : &device);
	else
		report_answer(&run, &job);
	if (options.verbose || options.count > 1)
		report_figures(&run, &options);
	report_error(&run, &options);
	code = report_exit_code(&run);
	run_free(&run);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "vgpu-run: cannot write the answer: %s\n", strerror(errno));
		code = EXIT_CODE_FAILED;
	}
	if (stop_signal)
		end_by_signal();
	return (int)code;
}
