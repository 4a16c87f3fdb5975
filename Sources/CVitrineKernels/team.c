// A pool of threads that spin while a pass runs and sleep otherwise.
//
// A region of 20 to 500 microseconds is too short for a dispatch queue (the second core did not join in
// the median call); spinning costs 0.2 microseconds per region. Chunks are claimed by compare-and-swap,
// so a worker that is late, asleep or preempted only leaves more chunks to the others.

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum {
  max_workers = 255,
  max_chunks = 65535,
  spins_between_looks = 64,
  spins_before_yield = 1 << 14,
};

static const int64_t idle_inside_pass = 2 * 1000 * 1000;  // nanoseconds before a worker sleeps
static const int64_t idle_between_passes = 100 * 1000;

typedef struct {
  _Alignas(64) pthread_mutex_t mutex;
  pthread_cond_t condition;
  _Atomic int parked;
} vk_worker;

static struct {
  // generation << 32 | chunks << 16 | next chunk. A successful compare-and-swap proves that the job
  // read together with it is the current one, because a job is replaced only after its last claim.
  _Alignas(64) _Atomic uint64_t ticket;
  _Alignas(64) _Atomic(vk_chunk) function;
  _Atomic(const void *) context;
  _Atomic int members;     // workers that may take part
  _Atomic int running;     // a pass owns the pool
  _Atomic unsigned epoch;  // counts passes
  _Alignas(64) _Atomic int finished;
  _Alignas(64) _Atomic int busy;
  _Atomic int asleep;
  int workers;
} pool;

static vk_worker workers[max_workers];
static _Thread_local int member_index;  // 0 for every thread that is not a worker
static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Claims and runs chunks until none is left. Returns whether it ran any.
static int take_chunks(void) {
  int ran = 0;
  uint64_t ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
  for (;;) {
    const int next = (int)(ticket & 0xffff), chunks = (int)(ticket >> 16 & 0xffff);
    if (next >= chunks) return ran;
    const vk_chunk function = atomic_load_explicit(&pool.function, memory_order_relaxed);
    const void *context = atomic_load_explicit(&pool.context, memory_order_relaxed);
    if (atomic_compare_exchange_weak_explicit(
          &pool.ticket, &ticket, ticket + 1, memory_order_acq_rel, memory_order_acquire)) {
      function(context, next);
      atomic_fetch_add_explicit(&pool.finished, 1, memory_order_release);
      ran = 1;
      ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
    }
  }
}

// Sleeps until woken, unless a pass began after `epoch` was read.
static void park(vk_worker *worker, unsigned epoch) {
  pthread_mutex_lock(&worker->mutex);
  atomic_fetch_add(&pool.asleep, 1);
  atomic_store(&worker->parked, 1);
  if (atomic_load(&pool.epoch) != epoch) atomic_store(&worker->parked, 0);
  while (atomic_load(&worker->parked)) pthread_cond_wait(&worker->condition, &worker->mutex);
  atomic_fetch_sub(&pool.asleep, 1);
  pthread_mutex_unlock(&worker->mutex);
}

static void wake_members(void) {
  const int members = atomic_load(&pool.members);
  for (int i = 0; i < members; i++) {
    if (!atomic_load(&workers[i].parked)) continue;
    pthread_mutex_lock(&workers[i].mutex);
    atomic_store(&workers[i].parked, 0);
    pthread_cond_signal(&workers[i].condition);
    pthread_mutex_unlock(&workers[i].mutex);
  }
}

static void *work(void *argument) {
  vk_worker *worker = argument;
  const int index = (int)(worker - workers);
  member_index = index + 1;
  int64_t idle_since = now();
  unsigned last_epoch = 0;
  for (unsigned spins = 1;; spins++) {
    const int member = index < atomic_load_explicit(&pool.members, memory_order_relaxed);
    if (member && take_chunks()) {
      idle_since = now();
      continue;
    }
    relax();
    if (spins % spins_between_looks != 0) continue;
    const unsigned epoch = atomic_load(&pool.epoch);
    const int64_t time = now();
    if (epoch != last_epoch) {
      last_epoch = epoch;
      idle_since = time;
    }
    const int64_t limit =
      member && atomic_load(&pool.running) ? idle_inside_pass : idle_between_passes;
    if (time - idle_since < limit) continue;
    park(worker, epoch);
    idle_since = now();
  }
  return NULL;
}

// A child process has no workers: forget them, and any pass another thread was running.
static void forget_workers(void) {
  atomic_store(&pool.ticket, 0);
  atomic_store(&pool.members, 0);
  atomic_store(&pool.running, 0);
  atomic_store(&pool.busy, 0);
  atomic_store(&pool.asleep, 0);
  pool.workers = 0;
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, forget_workers); }

static int start_worker(int index) {
  vk_worker *worker = &workers[index];
  pthread_mutex_init(&worker->mutex, NULL);
  pthread_cond_init(&worker->condition, NULL);
  atomic_store(&worker->parked, 0);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals belong to the host program's own threads.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pthread_t thread;
  const int failed = pthread_create(&thread, &attributes, work, worker);
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  pthread_attr_destroy(&attributes);
  return !failed;
}

static int acquire(vk_team *team) {
  int idle = 0;
  if (!atomic_compare_exchange_strong(&pool.busy, &idle, 1)) return 0;
  pthread_once(&fork_handler, install_fork_handler);
  int members = team->threads - 1;
  while (pool.workers < members && start_worker(pool.workers)) pool.workers++;
  if (members > pool.workers) members = pool.workers;
  atomic_store(&pool.members, members);
  atomic_store(&pool.running, 1);
  atomic_fetch_add(&pool.epoch, 1);
  wake_members();
  return 1;
}

vk_team vk_team_make(int threads) {
  if (threads > max_workers + 1) threads = max_workers + 1;
  return (vk_team){.threads = threads < 1 ? 1 : threads, .acquired = 0};
}

int vk_team_chunks(const vk_team *team, int64_t units, double cost) {
  if (team->threads == 1 || units <= 1) return 1;
  const double shortest = 400e3;
  int64_t chunks = (int64_t)(cost / shortest);
  if (chunks > 4 * team->threads) chunks = 4 * team->threads;
  if (chunks > units) chunks = units;
  return chunks < 1 ? 1 : (int)chunks;
}

void vk_team_run(vk_team *team, int count, vk_chunk function, const void *context) {
  if (count > 1 && count <= max_chunks && team->threads > 1 && !team->acquired) {
    // Somebody else has the pool: stay alone for the rest of this pass.
    team->acquired = acquire(team);
    if (!team->acquired) team->threads = 1;
  }
  if (count <= 1 || count > max_chunks || !team->acquired) {
    for (int i = 0; i < count; i++) function(context, i);
    return;
  }
  if (atomic_load_explicit(&pool.asleep, memory_order_relaxed) > 0) wake_members();
  atomic_store_explicit(&pool.finished, 0, memory_order_relaxed);
  atomic_store_explicit(&pool.function, function, memory_order_relaxed);
  atomic_store_explicit(&pool.context, context, memory_order_relaxed);
  const uint64_t generation =
    (atomic_load_explicit(&pool.ticket, memory_order_relaxed) >> 32) + 1;
  atomic_store_explicit(
    &pool.ticket, generation << 32 | (uint64_t)count << 16, memory_order_release);
  take_chunks();
  for (unsigned spins = 0;
       atomic_load_explicit(&pool.finished, memory_order_acquire) != count; spins++) {
    if (spins < spins_before_yield) {
      relax();
    } else {
      sched_yield();
    }
  }
}

int vk_team_member(void) { return member_index; }

void vk_team_end(vk_team *team) {
  if (!team->acquired) return;
  team->acquired = 0;
  atomic_store(&pool.running, 0);
  atomic_store(&pool.busy, 0);
}
