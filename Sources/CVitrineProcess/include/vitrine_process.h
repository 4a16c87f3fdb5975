// Starts a child process with limits, between fork and exec, where Swift must not run.
#ifndef VITRINE_PROCESS_H
#define VITRINE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/// What the child may use; the system ends it where it takes more.
struct vitrine_limits {
  /// Processor time of all its threads, in seconds.
  uint64_t processor_seconds;
  /// Address space, in bytes.
  uint64_t memory_bytes;
  /// Size of any file it writes, in bytes.
  uint64_t file_bytes;
  /// Open files.
  uint64_t files;
};

/// The parent's ends of the child's standard streams; all close on exec.
struct vitrine_streams {
  /// A socket that is written to.
  int input;
  int output;
  int errors;
};

/// Starts a program in a session of its own, without core files, without new privileges, with no other
/// file of this process open.
///
/// - Returns: The child's number, or the negative of an error number of the system.
pid_t vitrine_spawn(const char *path, char *const arguments[], char *const environment[],
                    const struct vitrine_limits *limits, struct vitrine_streams *streams);

/// Says whether a child has ended, without forgetting it: `waitpid(2)` must still be called.
///
/// - Returns: 1 if it has, with its exit code, or the signal that ended it, or 0.
int vitrine_has_ended(pid_t child, int *code, int *signal_number);

/// Sends bytes without raising SIGPIPE; as `send(2)`.
ssize_t vitrine_send(int socket, const void *bytes, size_t count);

#endif
