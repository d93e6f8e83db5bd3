/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_client.c - asks the broker for code that a program of the VM has compiled before */

#include "worker/module_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"

/* A broker that is asked for nothing else answers within 0.1 ms. */
#define PATIENCE_NS (50 * UTIL_NS_PER_MS)

void module_client_init(struct module_client *client, int fd)
{
	pthread_condattr_t clock;

	*client = (struct module_client){ .fd = fd, .patience_ns = PATIENCE_NS, .file = -1 };
	pthread_mutex_init(&client->turn, NULL);
	pthread_mutex_init(&client->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&client->came, &clock);
	pthread_condattr_destroy(&clock);
}

/* A broker that is slow to read is not waited for. Return: whether it was told. */
static bool tell(const struct module_client *client, const struct program_state *state)
{
	return send(client->fd, state, sizeof(*state), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       sizeof(*state);
}

void module_client_made(const struct module_client *client, uint32_t question, uint64_t bytes)
{
	const struct program_state made = {
		.what = PROGRAM_MODULE_MADE,
		.module_question = question,
		.module_bytes = bytes,
	};

	(void)tell(client, &made);
}

/* Under the lock. */
static void wait_for_answer(struct module_client *client)
{
	uint64_t until_ns = util_now_ns() + client->patience_ns;
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / UTIL_NS_PER_S),
		.tv_nsec = (long)(until_ns % UTIL_NS_PER_S),
	};

	client->waits = true;
	while (client->answered != client->asked &&
	       pthread_cond_timedwait(&client->came, &client->lock, &until) != ETIMEDOUT)
		;
	client->waits = false;
}

/* With the turn. */
static enum program_module ask(struct module_client *client, const uint8_t *key, int *file,
			       uint32_t *question)
{
	struct program_state state = { .what = PROGRAM_MODULE_ASKED };
	enum program_module answer = PROGRAM_MODULE_NONE;

	memcpy(state.module_key, key, sizeof(state.module_key));
	pthread_mutex_lock(&client->lock);
	if (client->asked == client->answered) {
		*question = client->asked + 1 != 0 ? client->asked + 1 : 1;
		state.module_question = *question;
		if (tell(client, &state)) {
			client->asked = *question;
			wait_for_answer(client);
		}
		/* Not there: it was not told, or is late. */
		if (client->file >= 0) {
			answer = (enum program_module)client->module;
			*file = client->file;
			client->file = -1;
		}
	}
	pthread_mutex_unlock(&client->lock);
	return answer;
}

enum program_module module_client_ask(struct module_client *client, const uint8_t *key, int *file,
				      uint32_t *question)
{
	enum program_module answer;

	*file = -1;
	pthread_mutex_lock(&client->turn);
	answer = ask(client, key, file, question);
	pthread_mutex_unlock(&client->turn);
	return answer;
}

void module_client_answered(struct module_client *client, const struct program_order *order,
			    int file)
{
	bool wanted;

	pthread_mutex_lock(&client->lock);
	wanted = client->waits && order->module_question == client->asked;
	if (wanted) {
		client->module = order->module;
		client->file = file;
	}
	client->answered = order->module_question;
	pthread_cond_broadcast(&client->came);
	pthread_mutex_unlock(&client->lock);
	if (wanted || file < 0)
		return;
	close(file);
	if (order->module == PROGRAM_MODULE_BLANK)
		module_client_made(client, order->module_question, 0);
}
