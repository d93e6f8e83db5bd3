/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - sends a job once or many times, and checks and measures each answer */

#include "guest/vgpu-run/run.h"

#include <errno.h>

#include "common/util.h"

int run_init(struct run *run, uint32_t count)
{
	*run = (struct run){ .error = VGPU_ERR_OK };
	if (samples_init(&run->latency_ns, count) < 0)
		return -ENOMEM;
	if (samples_init(&run->exec_us, count) < 0) {
		samples_free(&run->latency_ns);
		return -ENOMEM;
	}
	return 0;
}

void run_free(struct run *run)
{
	samples_free(&run->latency_ns);
	samples_free(&run->exec_us);
}

static int wrong_answer(struct run *run, const struct vgpu_device *device, const char *what)
{
	return fail_set(&run->fail, FAIL_ANSWER, -EBADMSG, "%s: the answer is not valid: %s",
			device->name, what);
}

static const char *response_fault(int err)
{
	if (err == -EPROTONOSUPPORT)
		return "its version is another";
	if (err == -EBADMSG)
		return "its checksum is wrong";
	return "its fields are malformed";
}

/* Return: 0 when the reply is a good answer, or a well-formed error. */
static int judge(struct run *run, const struct vgpu_device *device, const struct job *job)
{
	const struct reply *reply = &run->reply;
	const char *what;
	int err;

	run->error = reply->error;
	run->response = (struct proto_response){ 0 };
	if (reply->len_bytes == 0 && reply->error != VGPU_ERR_OK)
		return 0;
	err = proto_check_response(reply->bytes, reply->len_bytes, job->sealed, &run->response);
	if (err < 0)
		return wrong_answer(run, device, response_fault(err));
	if (run->response.status != reply->error)
		return wrong_answer(run, device, "its status and ERROR_CODE disagree");
	if (reply->error != VGPU_ERR_OK || job->is_raw)
		return 0;
	what = job_check(job, &run->response, run->values);
	return what ? wrong_answer(run, device, what) : 0;
}

/* Return: 0 when there is reason to send another one. */
static int run_once(struct run *run, struct vgpu_device *device, const struct job *job,
		    const struct wait *wait)
{
	const uint64_t start_ns = util_now_ns();
	int err = submit(device, &job->request, wait, &run->reply, &run->fail);

	if (err < 0)
		return err;
	samples_add(&run->latency_ns, util_now_ns() - start_ns);
	err = judge(run, device, job);
	if (err < 0)
		return err;
	samples_add(&run->exec_us, run->response.exec_time_us);
	if (run->error != VGPU_ERR_OK)
		return -EREMOTEIO;
	run->done++;
	return 0;
}

void run_job(struct run *run, struct vgpu_device *device, const struct job *job, uint32_t count,
	     const struct wait *wait)
{
	const uint64_t accesses_before = device->bar.accesses;
	const uint64_t start_ns = util_now_ns();

	for (uint32_t i = 0; i < count; i++) {
		if (wait->stop && *wait->stop) {
			fail_set(&run->fail, FAIL_INTERRUPTED, -EINTR, "%s: interrupted",
				 device->name);
			break;
		}
		if (run_once(run, device, job, wait) < 0)
			break;
	}
	run->total_ns = util_now_ns() - start_ns;
	run->accesses = device->bar.accesses - accesses_before;
	run->interrupts = wait->irq ? wait->irq->count : 0;
	run->request_id = device->request_id;
	samples_sort(&run->latency_ns);
	samples_sort(&run->exec_us);
}
