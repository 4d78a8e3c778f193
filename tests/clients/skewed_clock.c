/*
 * A clock that the test sets: what gettimeofday() says is off by as many microseconds as stand in the file that CLOCK_OFFSET_FILE names,
 * and that changes at once for every process. Preloaded into a server of the test's own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *offset;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("CLOCK_OFFSET_FILE");
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = descriptor < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, descriptor, 0);

    if (descriptor >= 0)
        close(descriptor);
    if (mapped != MAP_FAILED)
        offset = mapped;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec real;
    long long microseconds;

    (void) zone;
    clock_gettime(CLOCK_REALTIME, &real);
    microseconds = real.tv_sec * 1000000LL + real.tv_nsec / 1000 + (offset ? *offset : 0);
    now->tv_sec = microseconds / 1000000;
    now->tv_usec = microseconds % 1000000;
    return 0;
}
