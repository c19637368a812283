/* The limit to hold the engine against: sendmmsg(2) on prepared messages, in a loop, and nothing else. */
#define _GNU_SOURCE
#include <sys/socket.h>

int send_rounds(int fd, struct mmsghdr *messages, unsigned count, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned done = 0; done < count;) {
            unsigned left = count - done;
            int n = sendmmsg(fd, messages + done, left > 1024 ? 1024 : left, 0);
            if (n < 1)
                return -1;
            done += n;
        }
    }
    return 0;
}

/* The same for legs with a socket each, connected: send(2) on each in turn. */
int send_rounds_each(const int *fds, struct mmsghdr *messages, unsigned count, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < count; i++) {
            struct iovec *packet = messages[i].msg_hdr.msg_iov;
            if (send(fds[i], packet->iov_base, packet->iov_len, 0) < 0)
                return -1;
        }
    return 0;
}
