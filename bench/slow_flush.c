/*
 * Makes every flush take at least FLUSH_MICROSECONDS, as on a disk behind a network. Preloaded into the benchmark's own
 * server, and only for the cases that say so. The flush itself happens as ever; the rest of the time is slept.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#ifndef FLUSH_MICROSECONDS
#error "FLUSH_MICROSECONDS is not defined"
#endif

typedef int (*flush_function)(int descriptor);

static struct timespec end_of_flush(void)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += FLUSH_MICROSECONDS * 1000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    return end;
}

static int flush_slowly(flush_function flush, int descriptor)
{
    struct timespec end = end_of_flush();
    int result = flush(descriptor);
    int error = errno;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
    errno = error;
    return result;
}

int fsync(int descriptor)
{
    static flush_function flush;

    if (flush == NULL)
        flush = (flush_function) dlsym(RTLD_NEXT, "fsync");
    return flush_slowly(flush, descriptor);
}

int fdatasync(int descriptor)
{
    static flush_function flush;

    if (flush == NULL)
        flush = (flush_function) dlsym(RTLD_NEXT, "fdatasync");
    return flush_slowly(flush, descriptor);
}
