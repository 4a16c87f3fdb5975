// The threads that share the work of one `vk_run`.

#ifndef VITRINE_TEAM_H
#define VITRINE_TEAM_H

#include <stdint.h>

// Work cut into numbered chunks that may run at the same time, in any order.
typedef void (*vk_chunk)(const void *context, int chunk);

typedef struct {
  int threads;   // 1: never touches the pool
  int acquired;  // this team owns the pool
} vk_team;

vk_team vk_team_make(int threads);

// How many chunks to cut `units` equal pieces into, whose total cost is `cost` floating-point operations
// or floats moved: about four per thread, so that a thread that loses its core delays little, but none
// shorter than a few microseconds. Never changes results, only who computes them.
int vk_team_chunks(const vk_team *team, int64_t units, double cost);

// Runs chunks 0..<count and returns when all are done. At most 65535.
void vk_team_run(vk_team *team, int count, vk_chunk function, const void *context);

// Which thread of the team runs this chunk, from 0: for memory that chunks on one thread use in turn.
int vk_team_member(void);

// Gives the pool back.
void vk_team_end(vk_team *team);

#endif
