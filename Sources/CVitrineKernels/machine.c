// What this machine offers: usable cores, how fast they multiply and add, and how fast
// they read.

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "include/vitrine_kernels.h"
#include "kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// MARK: Usable cores

#if defined(__linux__)

// Cores allowed by one `cpu.max` file ("quota period" or "max period"); 0: no limit, or no such file.
static int quota_in(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  long long quota = 0, period = 0;
  const int fields = fscanf(file, "%lld %lld", &quota, &period);
  fclose(file);
  if (fields != 2 || quota <= 0 || period <= 0) return 0;
  const long long cores = (quota + period - 1) / period;
  return cores > 1 << 16 ? 0 : (int)cores;
}

static int lower(int limit, int other) { return other > 0 && other < limit ? other : limit; }

// The least quota of this process's control group and all above it (version 2), or version 1's.
static int lowest_quota(int limit) {
  char group[2048], path[4096];
  FILE *file = fopen("/proc/self/cgroup", "r");
  if (file != NULL) {
    while (fgets(group, sizeof group, file) != NULL) {
      if (strncmp(group, "0::/", 4) != 0) continue;
      group[strcspn(group, "\n")] = 0;
      for (;;) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group + 3);
        limit = lower(limit, quota_in(path));
        char *slash = strrchr(group + 3, '/');
        if (slash == NULL || slash[1] == 0) break;
        slash[slash == group + 3] = 0;
      }
      break;
    }
    fclose(file);
  }
  limit = lower(limit, quota_in("/sys/fs/cgroup/cpu.max"));

  long long quota = 0, period = 0;
  FILE *quotas = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
  FILE *periods = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
  if (quotas != NULL && periods != NULL && fscanf(quotas, "%lld", &quota) == 1
      && fscanf(periods, "%lld", &period) == 1 && quota > 0 && period > 0
      && quota / period < limit) {
    limit = lower(limit, (int)((quota + period - 1) / period));
  }
  if (quotas != NULL) fclose(quotas);
  if (periods != NULL) fclose(periods);
  return limit;
}

int vk_hardware_threads(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = 0;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
  if (cores < 1) cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  return lowest_quota(cores < 1 ? 1 : cores);
}

#else

int vk_hardware_threads(void) {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : (int)cores;
}

#endif

// MARK: Peak and bandwidth

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// What one thread does for `seconds`, and how much of it per second.
typedef struct {
  pthread_t thread;
  const float *memory;  // NULL: multiply-adds in registers
  size_t count;
  double seconds, rate;
  int started;
} worker;

static void *work(void *argument) {
  worker *self = argument;
  const vk_kernels *kernels = vk_kernels_for(-1);
  // About 10 microseconds from a cache, so that the clock does not matter.
  const int64_t passes = self->count > 0 ? 1 + (1 << 17) / (int64_t)self->count : 0;
  volatile float sink = 0;
  // Caches fill, and clocks rise, before time counts.
  if (self->memory != NULL) sink = kernels->stream(self->memory, self->count, 1);
  const double start = now();
  double done = 0, elapsed;
  do {
    if (self->memory == NULL) {
      done += kernels->burn(100000);
    } else {
      sink = kernels->stream(self->memory, self->count, passes);
      done += (double)passes * (double)self->count * sizeof(float);
    }
    elapsed = now() - start;
  } while (elapsed < self->seconds);
  (void)sink;
  self->rate = done / elapsed;
  return NULL;
}

// The sum of the threads' rates, each with its share of the memory.
static double measure(const float *memory, size_t count, int threads, double seconds) {
  enum { most = 256, piece = 128 };
  static const worker none;
  worker workers[most];
  if (threads < 1) threads = 1;
  if (threads > most) threads = most;
  const size_t share = count / (size_t)threads / piece * piece;
  for (int i = 0; i < threads; i++) {
    workers[i] = none;
    workers[i].seconds = seconds;
    if (memory != NULL) {
      workers[i].memory = memory + (size_t)i * share;
      workers[i].count = share;
    }
    if (i > 0) {
      workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
  }
  work(&workers[0]);
  double rate = workers[0].rate;
  for (int i = 1; i < threads; i++) {
    if (!workers[i].started) continue;
    pthread_join(workers[i].thread, NULL);
    rate += workers[i].rate;
  }
  return rate;
}

double vk_measure_peak(int threads, double seconds) { return measure(NULL, 0, threads, seconds); }

double vk_measure_bandwidth(const float *memory, size_t count, int threads, double seconds) {
  return measure(memory, count, threads, seconds);
}
