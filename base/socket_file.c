#include "base/socket_file.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

/* A connection that is made is ended at once. One that would have to wait has somebody to wait for. */
static bool
somebody_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        if (fd >= 0)
            (void)close(fd);
        return true; /* nobody knows */
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    bool is_left = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    (void)close(fd);
    return !is_left;
}

bool
socket_file_is_free(const char *path, struct error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return true; /* whoever binds says what else is wrong */
    if (!S_ISSOCK(info.st_mode))
        return error_set(err, ERROR_ARGUMENT,
            "there is something else than a socket at '%.150s': choose another path, or move it "
            "away",
            path);
    if (somebody_listens(path))
        return error_set(err, ERROR_SYSTEM, "Address already in use");
    return true;
}
