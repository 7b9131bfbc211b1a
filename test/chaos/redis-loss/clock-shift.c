/* Shifts the time of day that one process sees, by the whole seconds written in a file: preloaded
 * into the Redis of a run, as an operator may set a clock by mistake. The monotonic clock stays true.
 *
 * The kernel is asked directly and nothing is allocated: Redis' allocator reads the clock while it
 * starts, which is why libfaketime cannot be used here. The file is mapped, so that a change is seen
 * at once; CLOCK_SHIFT_FILE names it, and it begins with a 64-bit integer of this machine.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift_seconds;

__attribute__((constructor)) static void map_file(void) {
  const char *path = getenv("CLOCK_SHIFT_FILE");
  int file = path == NULL ? -1 : open(path, O_RDONLY);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) shift_seconds = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *result) {
  int failed = (int)syscall(SYS_clock_gettime, clock, result);
  if (failed == 0 && clock == CLOCK_REALTIME && shift_seconds != NULL) {
    result->tv_sec += *shift_seconds;
  }
  return failed;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) *result = now.tv_sec;
  return now.tv_sec;
}
