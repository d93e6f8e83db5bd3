/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helpers.c - threads that run what may wait for the GPU, so that the issuing thread never does */

#include "worker/helpers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Return: whether an earlier job of the same thread is not done. */
static bool has_earlier(const struct helpers *helpers, const struct helpers_job *job)
{
	for (const struct helpers_job *other = helpers->first; other != job; other = other->next)
		if (other->thread == job->thread)
			return true;
	return false;
}

/* Return: the next job that may run, NULL: none. */
static struct helpers_job *next_job(const struct helpers *helpers)
{
	for (struct helpers_job *job = helpers->first; job != NULL; job = job->next)
		if (!job->runs && !has_earlier(helpers, job))
			return job;
	return NULL;
}

static void take_out(struct helpers *helpers, struct helpers_job *job)
{
	struct helpers_job **at = &helpers->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
}

static void *helper(void *argument)
{
	struct helpers *helpers = argument;
	struct helpers_job *job;

	helpers->attach(helpers->owner);
	pthread_mutex_lock(&helpers->lock);
	while (!helpers->ends) {
		job = next_job(helpers);
		if (job == NULL) {
			pthread_cond_wait(&helpers->came, &helpers->lock);
			continue;
		}
		job->runs = true;
		pthread_mutex_unlock(&helpers->lock);
		helpers->run(helpers->owner, job);
		pthread_mutex_lock(&helpers->lock);
		take_out(helpers, job);
		free(job);
		/* A later job of the same thread may have been passed over by an idle helper; this one
		 * looks again. */
	}
	pthread_mutex_unlock(&helpers->lock);
	return NULL;
}

int helpers_start(struct helpers *helpers, uint32_t num, void (*attach)(void *owner),
		  void (*run)(void *owner, const struct helpers_job *job), void *owner)
{
	int err;

	memset(helpers, 0, sizeof(*helpers));
	pthread_mutex_init(&helpers->lock, NULL);
	pthread_cond_init(&helpers->came, NULL);
	helpers->attach = attach;
	helpers->run = run;
	helpers->owner = owner;
	while (helpers->num < num) {
		err = pthread_create(&helpers->threads[helpers->num], NULL, helper, helpers);
		if (err != 0) {
			helpers_end(helpers);
			return -err;
		}
		(void)pthread_setname_np(helpers->threads[helpers->num], "vgpu-helper");
		helpers->num++;
	}
	return 0;
}

void helpers_end(struct helpers *helpers)
{
	struct helpers_job *job;

	pthread_mutex_lock(&helpers->lock);
	helpers->ends = true;
	pthread_cond_broadcast(&helpers->came);
	pthread_mutex_unlock(&helpers->lock);
	for (uint32_t i = 0; i < helpers->num; i++)
		pthread_join(helpers->threads[i], NULL);
	while ((job = helpers->first) != NULL) {
		helpers->first = job->next;
		free(job);
	}
	pthread_cond_destroy(&helpers->came);
	pthread_mutex_destroy(&helpers->lock);
}

int helpers_push(struct helpers *helpers, const struct vgpu_command *command, int32_t pending)
{
	struct helpers_job **at, *job = malloc(sizeof(*job) + command->bytes);

	if (job == NULL)
		return -ENOMEM;
	job->next = NULL;
	job->thread = command->thread;
	job->runs = false;
	job->pending = pending;
	memcpy(job->command, command, command->bytes);
	pthread_mutex_lock(&helpers->lock);
	for (at = &helpers->first; *at != NULL; at = &(*at)->next)
		;
	*at = job;
	pthread_cond_signal(&helpers->came);
	pthread_mutex_unlock(&helpers->lock);
	return 0;
}
