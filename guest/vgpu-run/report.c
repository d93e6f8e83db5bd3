/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - tells the user how a run went, in words or as JSON */

#include "guest/vgpu-run/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "guest/tool/json.h"

#define SCHEMA 1 /* of the JSON: grows when a key changes its meaning or goes */

static bool failed(const struct run *run)
{
	return run->fail.kind != FAIL_NONE || run->error != VGPU_ERR_OK;
}

enum exit_code report_exit_code(const struct run *run)
{
	if (run->fail.kind != FAIL_NONE)
		return exit_code_of_fail(run->fail.kind);
	return exit_code_of_error(run->error);
}

/* ---- the answer ---- */

/* The device's name comes from the host: no control characters on a terminal. */
static void info_name(const struct proto_response *info, char *name, size_t size_bytes)
{
	size_t len = info->data_bytes < size_bytes ? info->data_bytes : size_bytes - 1;

	if (len > 0)
		memcpy(name, info->data, len);
	name[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			name[i] = '?';
	}
}

static void print_info(const struct proto_response *info)
{
	const uint32_t *results = info->results;
	const uint32_t driver = results[VGPU_INFO_DRIVER_VERSION];
	char name[PROTO_DATA_MAX + 1];

	info_name(info, name, sizeof(name));
	printf("executor            %s\n", name_executor(results[VGPU_INFO_EXECUTOR]));
	printf("name                %s\n", name);
	printf("memory              %" PRIu32 " MiB\n", results[VGPU_INFO_MEMORY_MIB]);
	printf("multiprocessors     %" PRIu32 "\n", results[VGPU_INFO_MULTIPROCESSORS]);
	if (results[VGPU_INFO_EXECUTOR] != VGPU_EXECUTOR_CUDA)
		return;
	printf("compute capability  %" PRIu32 ".%" PRIu32 "\n", results[VGPU_INFO_CC_MAJOR],
	       results[VGPU_INFO_CC_MINOR]);
	printf("driver's CUDA       %" PRIu32 ".%" PRIu32 "\n", driver / 1000, driver % 1000 / 10);
}

static void print_values(const struct run *run, uint32_t count, const char *separator)
{
	for (uint32_t i = 0; i < count; i++)
		printf("%s%" PRId32, i ? separator : "", run->values[i]);
}

void report_answer(const struct run *run, const struct job *job)
{
	if (run->fail.kind != FAIL_NONE)
		return;
	if (job->is_raw) {
		printf("%s\n", name_error(run->error));
	} else if (run->error != VGPU_ERR_OK) {
		return;
	} else if (job->opcode == VGPU_OP_DEVICE_INFO) {
		print_info(&run->response);
	} else if (job->expected_count > 0) {
		print_values(run, job->expected_count, " ");
		putchar('\n');
	}
}

/* ---- what went wrong ---- */

static void print_after(const struct run *run, const struct options *options)
{
	if (options->count > 1)
		fprintf(stderr, " [after %" PRIu32 " of %" PRIu32 " requests]", run->done,
			options->count);
	fputc('\n', stderr);
}

void report_error(const struct run *run, const struct options *options)
{
	const char *remedy = exit_code_remedy(run->error);

	if (run->fail.kind != FAIL_NONE) {
		fprintf(stderr, "vgpu-run: %s", run->fail.text);
	} else if (run->error >= VGPU_ERROR_NUM) {
		fprintf(stderr, "vgpu-run: failed: error %" PRIu32 ", unknown to this version",
			run->error);
	} else if (run->error != VGPU_ERR_OK) {
		fprintf(stderr, "vgpu-run: failed: %s: %s", name_error(run->error),
			name_error_text(run->error));
		if (remedy)
			fprintf(stderr, " (%s)", remedy);
	} else {
		return;
	}
	print_after(run, options);
}

/* ---- figures ---- */

static double us(const struct samples *latency_ns, unsigned int percent)
{
	return (double)samples_percentile(latency_ns, percent) / 1e3;
}

static double per_request(const struct run *run, uint64_t total)
{
	return run->latency_ns.count ? (double)total / (double)run->latency_ns.count : 0;
}

static double rate_per_s(const struct run *run)
{
	return run->total_ns ? (double)run->latency_ns.count * 1e9 / (double)run->total_ns : 0;
}

static void print_waiting(const struct run *run, const struct options *options)
{
	fprintf(stderr, ", wait %s", options_wait_name(options->wait));
	if (options->wait == WAIT_IRQ)
		fprintf(stderr, " (%" PRIu64 " interrupts)", run->interrupts);
	fputc('\n', stderr);
}

/* By files, execution time and accesses are not known. */
static void print_file_figures(const struct run *run, const struct options *options)
{
	const struct samples *latency = &run->latency_ns;

	if (options->count == 1)
		fprintf(stderr, "latency %.1f us, by file in %s\n", us(latency, 100),
			options->file.dir);
	else
		fprintf(stderr,
			"%zu requests, latency p50 %.1f us, p90 %.1f us, p99 %.1f us, max %.1f us\n"
			"%.1f requests/s, by file in %s\n",
			latency->count, us(latency, 50), us(latency, 90), us(latency, 99),
			us(latency, 100), rate_per_s(run), options->file.dir);
}

void report_figures(const struct run *run, const struct options *options)
{
	const struct samples *latency = &run->latency_ns;

	if (latency->count == 0)
		return;
	if (options->transport == TRANSPORT_FILE) {
		print_file_figures(run, options);
		return;
	}
	if (options->count == 1) {
		fprintf(stderr,
			"latency %.1f us, execution %" PRIu64
			" us, %.0f accesses, request %" PRIu32,
			us(latency, 100), samples_percentile(&run->exec_us, 100),
			per_request(run, run->accesses), run->request_id);
	} else {
		fprintf(stderr,
			"%zu requests, latency p50 %.1f us, p90 %.1f us, p99 %.1f us, max %.1f us\n",
			latency->count, us(latency, 50), us(latency, 90), us(latency, 99),
			us(latency, 100));
		fprintf(stderr, "execution p50 %" PRIu64 " us, %.0f requests/s, %.1f accesses each",
			samples_percentile(&run->exec_us, 50), rate_per_s(run),
			per_request(run, run->accesses));
	}
	print_waiting(run, options);
}

/* ---- JSON ---- */

static void json_info(const struct proto_response *info)
{
	const uint32_t *results = info->results;
	char name[PROTO_DATA_MAX + 1];

	info_name(info, name, sizeof(name));
	printf(",\"info\":{\"executor\":\"%s\",\"name\":",
	       name_executor(results[VGPU_INFO_EXECUTOR]));
	json_string(stdout, name);
	printf(",\"memory_mib\":%" PRIu32 ",\"multiprocessors\":%" PRIu32,
	       results[VGPU_INFO_MEMORY_MIB], results[VGPU_INFO_MULTIPROCESSORS]);
	printf(",\"cc_major\":%" PRIu32 ",\"cc_minor\":%" PRIu32 ",\"driver_version\":%" PRIu32 "}",
	       results[VGPU_INFO_CC_MAJOR], results[VGPU_INFO_CC_MINOR],
	       results[VGPU_INFO_DRIVER_VERSION]);
}

static void json_percentiles(const char *name, const struct samples *samples)
{
	printf(",\"%s\":{\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64
	       ",\"max\":%" PRIu64 "}",
	       name, samples_percentile(samples, 50), samples_percentile(samples, 90),
	       samples_percentile(samples, 99), samples_percentile(samples, 100));
}

/* status is null when no answer came; error then says why. */
static void json_outcome(const struct run *run)
{
	const bool answered = run->fail.kind == FAIL_NONE;

	printf(",\"ok\":%s,\"exit_code\":%d", failed(run) ? "false" : "true",
	       (int)report_exit_code(run));
	printf(",\"status\":");
	json_string(stdout, answered ? name_error(run->error) : NULL);
	if (answered)
		printf(",\"status_code\":%" PRIu32, run->error);
	else
		printf(",\"status_code\":null");
	if (failed(run)) {
		printf(",\"error\":");
		json_string(stdout, answered ? name_error_text(run->error) : run->fail.text);
	}
}

void report_json(const struct run *run, const struct job *job, const struct options *options,
		 const struct vgpu_device *device)
{
	printf("{\"schema\":%d,\"device\":", SCHEMA);
	json_string(stdout, device ? device->name : NULL);
	printf(",\"transport\":\"%s\"", options->transport == TRANSPORT_FILE ? "file" : "device");
	printf(",\"op\":\"%s\"", job->is_raw ? "raw" : name_opcode(job->opcode));
	json_outcome(run);
	if (!failed(run) && job->expected_count > 0) {
		printf(",\"results\":[");
		print_values(run, job->expected_count, ",");
		printf("]");
	}
	if (!failed(run) && !job->is_raw && job->opcode == VGPU_OP_DEVICE_INFO)
		json_info(&run->response);
	printf(",\"wait\":\"%s\",\"count\":%" PRIu32 ",\"done\":%" PRIu32
	       ",\"request_id\":%" PRIu32,
	       options_wait_name(options->wait), options->count, run->done, run->request_id);
	json_percentiles("latency_ns", &run->latency_ns);
	json_percentiles("exec_us", &run->exec_us);
	printf(",\"rate_per_s\":%.1f,\"accesses_per_request\":%.2f,\"interrupts\":%" PRIu64
	       ",\"response_bytes\":%" PRIu32 "}\n",
	       rate_per_s(run), per_request(run, run->accesses), run->interrupts,
	       run->reply.len_bytes);
}
