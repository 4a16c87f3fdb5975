#define _GNU_SOURCE
#include "vitrine_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

static int set_limit(int resource, uint64_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return -1;
  rlim_t wanted = (rlim_t)value;
  if (limit.rlim_max != RLIM_INFINITY && wanted > limit.rlim_max) wanted = limit.rlim_max;
  limit.rlim_cur = wanted;
  limit.rlim_max = wanted;
  return setrlimit(resource, &limit);
}

static void close_from(int first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  long most = sysconf(_SC_OPEN_MAX);
  if (most < 0 || most > 65536) most = 65536;
  for (int file = first; file < most; file++) close(file);
}

/// Runs in the child: only calls that are safe after fork in a process with threads.
static void become(const char *path, char *const arguments[], char *const environment[],
                   const struct vitrine_limits *limits, int input, int output, int errors,
                   int report) {
  setsid();
  // Above the standard streams, so that none of the four overwrites another.
  input = fcntl(input, F_DUPFD, 10);
  output = fcntl(output, F_DUPFD, 10);
  errors = fcntl(errors, F_DUPFD, 10);
  report = fcntl(report, F_DUPFD, 10);
  if (input < 0 || output < 0 || errors < 0 || report < 0) goto fail;
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) goto fail;
  if (dup2(report, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0) goto fail;
  report = 3;
  close_from(4);

  for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);

  if (set_limit(RLIMIT_CORE, 0) != 0 || set_limit(RLIMIT_CPU, limits->processor_seconds) != 0 ||
      set_limit(RLIMIT_FSIZE, limits->file_bytes) != 0 ||
      set_limit(RLIMIT_NOFILE, limits->files) != 0)
    goto fail;
#ifdef __linux__
  if (set_limit(RLIMIT_AS, limits->memory_bytes) != 0) goto fail;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) goto fail;
#endif
  execve(path, arguments, environment);
fail:;
  int number = errno;
  ssize_t ignored = write(report, &number, sizeof number);
  (void)ignored;
  _exit(127);
}

static void close_both(int ends[2]) {
  if (ends[0] >= 0) close(ends[0]);
  if (ends[1] >= 0) close(ends[1]);
}

static int make_pipe(int ends[2]) {
  if (pipe(ends) != 0) return -1;
  return fcntl(ends[0], F_SETFD, FD_CLOEXEC) | fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

pid_t vitrine_spawn(const char *path, char *const arguments[], char *const environment[],
                    const struct vitrine_limits *limits, struct vitrine_streams *streams) {
  int input[2] = {-1, -1}, output[2] = {-1, -1}, errors[2] = {-1, -1}, report[2] = {-1, -1};
  pid_t child = -1;
  int number = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, input) != 0 ||
      (fcntl(input[0], F_SETFD, FD_CLOEXEC) | fcntl(input[1], F_SETFD, FD_CLOEXEC)) != 0 ||
      make_pipe(output) != 0 || make_pipe(errors) != 0 || make_pipe(report) != 0 ||
      (child = fork()) < 0) {
    number = errno;
    close_both(input), close_both(output), close_both(errors), close_both(report);
    return -number;
  }
  if (child == 0) {
    become(path, arguments, environment, limits, input[1], output[1], errors[1], report[1]);
  }
  close(input[1]), close(output[1]), close(errors[1]), close(report[1]);
  ssize_t count;
  do {
    count = read(report[0], &number, sizeof number);
  } while (count < 0 && errno == EINTR);
  close(report[0]);
  if (count == (ssize_t)sizeof number) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    close(input[0]), close(output[0]), close(errors[0]);
    return -number;
  }
#ifdef SO_NOSIGPIPE
  int yes = 1;
  setsockopt(input[0], SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
  const int ends[3] = {input[0], output[0], errors[0]};
  for (int i = 0; i < 3; i++) fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | O_NONBLOCK);
  streams->input = ends[0];
  streams->output = ends[1];
  streams->errors = ends[2];
  return child;
}

int vitrine_has_ended(pid_t child, int *code, int *signal_number) {
  siginfo_t info;
  info.si_pid = 0;
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
  if (info.si_pid != child) return 0;
  *code = info.si_code == CLD_EXITED ? info.si_status : 0;
  *signal_number = info.si_code == CLD_EXITED ? 0 : info.si_status;
  return 1;
}

ssize_t vitrine_send(int socket, const void *bytes, size_t count) {
#ifdef MSG_NOSIGNAL
  return send(socket, bytes, count, MSG_NOSIGNAL);
#else
  return send(socket, bytes, count, 0);
#endif
}
