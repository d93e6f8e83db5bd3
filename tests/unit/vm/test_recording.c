/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_recording.c - a change of a VM: recorded first, in force once the ledger has it */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/vgpu_regs.h"
#include "vgpud/vm/recording.h"

/* --- a ledger that ends its changes when the test says so --- */

#define ASKED_MOST 8

struct asked {
	bool delete;
	struct ledger_vm vm;
	bool has_event;
	char kind[32], old_text[32], new_text[32];
	ledger_done *done;
	void *arg;
};

static struct {
	struct ledger ledger;
	struct asked asked[ASKED_MOST]; /* not ended yet */
	unsigned num;
	int refuses; /* what the next call returns at once */
} fake;

static struct asked *ask(const struct ledger_event *event, ledger_done *done, void *arg)
{
	struct asked *asked = &fake.asked[fake.num++];

	assert_true(fake.num <= ASKED_MOST);
	*asked = (struct asked){ .done = done, .arg = arg, .has_event = event != NULL };
	if (event != NULL) {
		snprintf(asked->kind, sizeof(asked->kind), "%s", event->kind);
		snprintf(asked->old_text, sizeof(asked->old_text), "%s",
			 event->old_value ? event->old_value : "");
		snprintf(asked->new_text, sizeof(asked->new_text), "%s",
			 event->new_value ? event->new_value : "");
	}
	return asked;
}

static int fake_put(struct ledger *ledger, const struct ledger_vm *vm,
		    const struct ledger_event *event, ledger_done *done, void *arg)
{
	int err = fake.refuses;

	(void)ledger;
	fake.refuses = 0;
	if (err == 0)
		ask(event, done, arg)->vm = *vm;
	return err;
}

static int fake_delete(struct ledger *ledger, uint32_t id, const struct ledger_event *event,
		       ledger_done *done, void *arg)
{
	(void)ledger;
	(void)id;
	ask(event, done, arg)->delete = true;
	return 0;
}

/* Ends the oldest change. */
static void ends(int err)
{
	struct asked first = fake.asked[0];

	assert_true(fake.num > 0);
	fake.num--;
	memmove(fake.asked, fake.asked + 1, fake.num * sizeof(fake.asked[0]));
	first.done(first.arg, err);
}

/* --- the house around it --- */

static struct vm_list vms;
static struct recording recording;
static unsigned applied, retries, dropped;

static void on_changed(void *arg, struct vm *vm, const struct vm_settings *old)
{
	(void)arg;
	(void)old;
	vm->sched.paused = vm->settings.paused;
	applied++;
}

static void on_added(void *arg, struct vm *vm)
{
	(void)arg;
	TAILQ_INSERT_TAIL(&vms, vm, link);
}

static unsigned on_dropped(void *arg, struct vm *vm)
{
	(void)arg;
	if (vm_find_id(&vms, vm->id) == vm)
		TAILQ_REMOVE(&vms, vm, link);
	vm_free(vm);
	dropped++;
	return 3;
}

static void on_retry_later(void *arg)
{
	(void)arg;
	retries++;
}

static const struct recording_handler handler = {
	.changed = on_changed,
	.added = on_added,
	.dropped = on_dropped,
	.retry_later = on_retry_later,
};

/* --- who asks for changes --- */

#define PENDING 1 /* no -errno */

struct caller {
	int err;
	unsigned times, requests;
	char old_text[32], new_text[32];
	struct vm *then_remove; /* asks for that from within its answer */
};

static void on_done(void *arg, const struct recording_end *end);

static struct recording_wish wish_of(struct caller *caller, unsigned setting, const char *kind)
{
	*caller = (struct caller){ .err = PENDING };
	return (struct recording_wish){
		.settings = setting,
		.kind = kind,
		.done = on_done,
		.arg = caller,
	};
}

static void on_done(void *arg, const struct recording_end *end)
{
	struct caller *caller = arg;
	struct recording_wish wish;

	caller->err = end->err;
	caller->times++;
	caller->requests = end->requests;
	snprintf(caller->old_text, sizeof(caller->old_text), "%s", end->old_text);
	snprintf(caller->new_text, sizeof(caller->new_text), "%s", end->new_text);
	if (caller->then_remove != NULL) {
		static struct caller other;

		wish = wish_of(&other, 0, "remove-vm");
		recording_remove(&recording, caller->then_remove, &wish);
	}
}

static void describe(const struct vm_settings *settings, unsigned which, char *out)
{
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		if (which & 1u << i)
			vm_setting_format(&vm_settings_table[i], settings, out);
}

static void set_priority(struct caller *caller, struct vm *vm, unsigned priority)
{
	struct recording_wish wish = wish_of(caller, 1u << VM_SETTING_PRIORITY, "set-priority");

	wish.to.priority = priority;
	wish.describe = describe;
	recording_change(&recording, vm, &wish);
}

static void set_paused(struct caller *caller, struct vm *vm, bool paused)
{
	struct recording_wish wish = wish_of(caller, 1u << VM_SETTING_PAUSED, "pause");

	wish.to.paused = paused;
	wish.describe = describe;
	recording_change(&recording, vm, &wish);
}

static struct vm *new_vm(uint32_t id)
{
	static const struct ledger_ops ops = { .vm_put = fake_put, .vm_delete = fake_delete };
	struct vm_settings settings;
	char name[16];
	struct vm *vm;

	if (id == 1) {
		memset(&fake, 0, sizeof(fake));
		fake.ledger.ops = &ops;
		applied = retries = dropped = 0;
		TAILQ_INIT(&vms);
		recording_init(&recording, &fake.ledger, &vms, &handler, NULL);
	}
	vm_settings_standard(&settings);
	snprintf(name, sizeof(name), "vm%u", id);
	vm = vm_new(name, id, &settings);
	assert_non_null(vm);
	return vm;
}

static struct vm *vm_that_works(void)
{
	struct vm *vm = new_vm(1);

	on_added(NULL, vm);
	return vm;
}

static void end_of(struct vm *vm)
{
	assert_int_equal(fake.num, 0);
	on_dropped(NULL, vm);
}

/* --- the tests --- */

static void test_nothing_counts_before_the_ledger_has_it(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	set_priority(&caller, vm, VGPU_PRIORITY_LOW);
	assert_int_equal(fake.num, 1);
	assert_int_equal(fake.asked[0].vm.settings.priority, VGPU_PRIORITY_LOW);
	assert_string_equal(fake.asked[0].kind, "set-priority");
	assert_string_equal(fake.asked[0].old_text, "medium");
	assert_string_equal(fake.asked[0].new_text, "low");
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(caller.err, PENDING);
	ends(0);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_LOW);
	assert_int_equal(applied, 1);
	assert_int_equal(caller.err, 0);
	assert_string_equal(caller.old_text, "medium");
	end_of(vm);
}

static void test_what_fails_changes_nothing_and_the_next_one_begins(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller first, second;

	(void)state;
	set_priority(&first, vm, VGPU_PRIORITY_LOW);
	set_priority(&second, vm, VGPU_PRIORITY_HIGH);
	assert_int_equal(fake.num, 1);
	ends(-ENOSPC);
	assert_int_equal(first.err, -ENOSPC);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_MEDIUM);
	assert_string_equal(fake.asked[0].old_text, "medium");
	ends(0);
	assert_int_equal(second.err, 0);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_HIGH);
	assert_int_equal(applied, 1);
	end_of(vm);
}

static void test_one_that_the_ledger_does_not_take_at_once(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	fake.refuses = -ENOBUFS;
	set_priority(&caller, vm, VGPU_PRIORITY_LOW);
	assert_int_equal(caller.err, -ENOBUFS);
	assert_int_equal(caller.times, 1);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_MEDIUM);
	end_of(vm);
}

static void test_what_is_so_already_needs_no_row(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	set_priority(&caller, vm, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(caller.err, 0);
	assert_string_equal(caller.old_text, caller.new_text);
	end_of(vm);
}

static void test_more_than_the_queue_takes(void **state)
{
	struct vm *vm = vm_that_works();
	static struct caller callers[65];

	(void)state;
	for (int i = 0; i < 65; i++)
		set_priority(&callers[i], vm, (unsigned)i % 2 * 2);
	assert_int_equal(callers[64].err, -ENOBUFS);
	for (int i = 0; i < 64; i++) {
		assert_int_equal(callers[i].err, PENDING);
		ends(0);
		assert_int_equal(callers[i].err, 0);
	}
	end_of(vm);
}

static void test_a_new_vm(void **state)
{
	struct vm *first = new_vm(1), *second = new_vm(2);
	struct caller caller, other;
	struct recording_wish wish = wish_of(&caller, 0, "add-vm");

	(void)state;
	recording_add(&recording, first, &wish);
	wish = wish_of(&other, 0, "add-vm");
	recording_add(&recording, second, &wish);
	assert_true(TAILQ_EMPTY(&vms));
	assert_ptr_equal(recording_adding(&recording, "vm2", 0), second);
	assert_ptr_equal(recording_adding(&recording, "", 1), first);
	assert_null(recording_adding(&recording, "vm3", 3));
	ends(-EIO);
	assert_int_equal(caller.err, -EIO);
	assert_int_equal(dropped, 1);
	assert_null(recording_adding(&recording, "vm1", 1));
	ends(0);
	assert_int_equal(other.err, 0);
	assert_ptr_equal(TAILQ_FIRST(&vms), second);
	assert_null(recording_adding(&recording, "vm2", 2));
	end_of(second);
}

static void test_a_removal(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller before, removed, after;
	struct recording_wish wish;

	(void)state;
	set_priority(&before, vm, VGPU_PRIORITY_LOW);
	wish = wish_of(&removed, 0, "remove-vm");
	recording_remove(&recording, vm, &wish);
	set_priority(&after, vm, VGPU_PRIORITY_HIGH);
	ends(0);
	assert_int_equal(before.err, 0);
	assert_true(fake.asked[0].delete);
	assert_int_equal(dropped, 0);
	ends(0);
	assert_int_equal(removed.err, 0);
	assert_int_equal(removed.requests, 3);
	assert_int_equal(after.err, -ECANCELED);
	assert_int_equal(dropped, 1);
	assert_int_equal(fake.num, 0);
}

static void test_a_removal_that_fails_leaves_it_there(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller removed, after;
	struct recording_wish wish = wish_of(&removed, 0, "remove-vm");

	(void)state;
	recording_remove(&recording, vm, &wish);
	set_priority(&after, vm, VGPU_PRIORITY_HIGH);
	ends(-ENOSPC);
	assert_int_equal(removed.err, -ENOSPC);
	ends(0);
	assert_int_equal(after.err, 0);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_HIGH);
	end_of(vm);
}

static void test_one_that_the_database_has_lost_can_be_removed(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller removed;
	struct recording_wish wish = wish_of(&removed, 0, "remove-vm");

	(void)state;
	recording_remove(&recording, vm, &wish);
	ends(-ENOENT);
	assert_int_equal(removed.err, 0);
	assert_int_equal(dropped, 1);
}

static void test_a_removal_from_within_an_answer(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	set_priority(&caller, vm, VGPU_PRIORITY_LOW);
	caller.then_remove = vm;
	ends(0);
	assert_true(fake.asked[0].delete);
	ends(0);
	assert_int_equal(dropped, 1);
}

static void pause_by_broker(struct vm *vm)
{
	vm->sched.paused = true;
	recording_pause(&recording, vm);
}

static void test_a_pause_by_the_broker_is_recorded_until_it_is(void **state)
{
	struct vm *vm = vm_that_works();

	(void)state;
	pause_by_broker(vm);
	assert_true(vm->settings.paused);
	assert_true(fake.asked[0].vm.settings.paused);
	assert_false(fake.asked[0].has_event); /* the broker has told of it */
	ends(-ENOSPC);
	assert_int_equal(retries, 1);
	assert_int_equal(fake.num, 0);
	recording_retry(&recording);
	ends(-ENOSPC);
	assert_int_equal(retries, 2);
	recording_retry(&recording);
	ends(0);
	recording_retry(&recording);
	assert_int_equal(retries, 2);
	assert_true(vm->settings.paused);
	end_of(vm);
}

static void test_a_row_on_its_way_does_not_resume_whom_the_broker_paused(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	set_priority(&caller, vm, VGPU_PRIORITY_LOW);
	pause_by_broker(vm);
	assert_false(fake.asked[0].vm.settings.paused);
	ends(0);
	assert_int_equal(vm->settings.priority, VGPU_PRIORITY_LOW);
	assert_true(vm->settings.paused);
	assert_true(vm->sched.paused);
	assert_true(fake.asked[0].vm.settings.paused);
	assert_int_equal(fake.asked[0].vm.settings.priority, VGPU_PRIORITY_LOW);
	ends(0);
	end_of(vm);
}

static void test_a_resume_that_was_overtaken(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	pause_by_broker(vm);
	ends(0);
	set_paused(&caller, vm, false);
	pause_by_broker(vm);
	ends(0);
	assert_int_equal(caller.err, 0);
	assert_true(vm->settings.paused);
	assert_true(fake.asked[0].vm.settings.paused);
	ends(0);
	end_of(vm);
}

static void test_a_resume_is_the_last_word_on_a_pause_that_failed(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	pause_by_broker(vm);
	ends(-EIO);
	set_paused(&caller, vm, false);
	ends(0);
	assert_int_equal(caller.err, 0);
	assert_false(vm->settings.paused);
	recording_retry(&recording);
	end_of(vm);
}

static void test_an_administrators_pause_records_the_brokers(void **state)
{
	struct vm *vm = vm_that_works();
	struct caller caller;

	(void)state;
	pause_by_broker(vm);
	ends(-EIO);
	set_paused(&caller, vm, true);
	assert_int_equal(fake.num, 1);
	assert_false(fake.asked[0].has_event); /* it changes nothing */
	ends(0);
	assert_int_equal(caller.err, 0);
	recording_retry(&recording);
	end_of(vm);
}

static void test_the_end(void **state)
{
	struct vm *vm = vm_that_works(), *coming = new_vm(2);
	struct caller under_way, waiting, added;
	struct recording_wish wish;

	(void)state;
	set_priority(&under_way, vm, VGPU_PRIORITY_LOW);
	set_priority(&waiting, vm, VGPU_PRIORITY_HIGH);
	wish = wish_of(&added, 0, "add-vm");
	recording_add(&recording, coming, &wish);
	pause_by_broker(vm);
	recording_close(&recording);
	assert_int_equal(waiting.err, -ECANCELED);
	assert_int_equal(under_way.err, PENDING);
	assert_int_equal(dropped, 1); /* the one that was coming */
	on_dropped(NULL, vm);
	assert_int_equal(fake.num, 3);
	assert_true(fake.asked[2].vm.settings.paused);
	assert_int_equal(fake.asked[2].vm.settings.priority, VGPU_PRIORITY_LOW);
	ends(0);
	ends(0);
	ends(-EIO);
	assert_int_equal(under_way.err, 0);
	assert_int_equal(added.err, 0);
	assert_int_equal(applied, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_counts_before_the_ledger_has_it),
		cmocka_unit_test(test_what_fails_changes_nothing_and_the_next_one_begins),
		cmocka_unit_test(test_one_that_the_ledger_does_not_take_at_once),
		cmocka_unit_test(test_what_is_so_already_needs_no_row),
		cmocka_unit_test(test_more_than_the_queue_takes),
		cmocka_unit_test(test_a_new_vm),
		cmocka_unit_test(test_a_removal),
		cmocka_unit_test(test_a_removal_that_fails_leaves_it_there),
		cmocka_unit_test(test_one_that_the_database_has_lost_can_be_removed),
		cmocka_unit_test(test_a_removal_from_within_an_answer),
		cmocka_unit_test(test_a_pause_by_the_broker_is_recorded_until_it_is),
		cmocka_unit_test(test_a_row_on_its_way_does_not_resume_whom_the_broker_paused),
		cmocka_unit_test(test_a_resume_that_was_overtaken),
		cmocka_unit_test(test_a_resume_is_the_last_word_on_a_pause_that_failed),
		cmocka_unit_test(test_an_administrators_pause_records_the_brokers),
		cmocka_unit_test(test_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
