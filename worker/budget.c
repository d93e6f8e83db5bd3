/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.c - has the broker grant memory of softgpu, which all workers of the host share */

#include "worker/budget.h"

#include <sys/socket.h>

void budget_init(struct budget *budget, int fd)
{
	*budget = (struct budget){ .fd = fd };
	pthread_mutex_init(&budget->lock, NULL);
	pthread_cond_init(&budget->came, NULL);
}

/* A broker that has gone ends the process by itself: no failure is looked at. */
static void tell(const struct budget *budget, uint64_t bytes, uint32_t question)
{
	const struct program_state state = {
		.what = PROGRAM_MEMORY,
		.memory_bytes = bytes,
		.memory_question = question,
	};

	(void)!send(budget->fd, &state, sizeof(state), MSG_NOSIGNAL);
}

struct budget_answer budget_ask(struct budget *budget, uint64_t bytes)
{
	struct budget_answer answer;
	uint32_t question;

	pthread_mutex_lock(&budget->lock);
	question = ++budget->asked;
	if (question == 0) /* which is not answered */
		question = ++budget->asked;
	pthread_mutex_unlock(&budget->lock);
	tell(budget, bytes, question);
	pthread_mutex_lock(&budget->lock);
	while (budget->answered != question)
		pthread_cond_wait(&budget->came, &budget->lock);
	answer = (struct budget_answer){ budget->granted_bytes, budget->left_bytes,
					 budget->ending };
	pthread_mutex_unlock(&budget->lock);
	return answer;
}

void budget_lower(struct budget *budget, uint64_t bytes)
{
	tell(budget, bytes, 0);
}

void budget_answered(struct budget *budget, const struct program_order *order)
{
	pthread_mutex_lock(&budget->lock);
	budget->answered = order->memory_question;
	budget->granted_bytes = order->memory_bytes;
	budget->left_bytes = order->memory_left_bytes;
	budget->ending = order->memory_ending != 0;
	pthread_cond_broadcast(&budget->came);
	pthread_mutex_unlock(&budget->lock);
}
